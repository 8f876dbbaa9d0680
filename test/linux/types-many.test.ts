import test from "ava";
import type { Interface } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { links, namespaces as namedNamespaces, run } from "#test/support/sandbox.js";
import { type Desired, dropInterface, NetworkAgent, operations, wantInterface } from "./support/network.js";

const PAIRS = 500;
const NAMESPACES = 4;

/** Both ends of a pair, in neighbouring namespaces, each with an IPv4 and an IPv6 address. */
function pair(i: number): readonly Desired[] {
  const end = (name: string, peer: string, host: number): Desired => {
    const value: Interface & { readonly name: string } = {
      name: `${name}${i}`,
      type: "VETH",
      enabled: true,
      namespace: { type: "NSID", reference: `many${(i + host) % NAMESPACES}` },
      ip_addresses: [`10.${i >> 8}.${i & 255}.${host}/24`, `fd00:${i.toString(16)}::${host}/64`],
      veth: { peer_if_name: `${peer}${i}` },
    };
    return wantInterface(value);
  };
  return [end("a", "b", 1), end("b", "a", 2)];
}

test("five hundred pairs over four namespaces come up and go, in one transaction each", async (t) => {
  const agent = await NetworkAgent.start("many");
  t.teardown(() => agent.close());
  const all = Array.from({ length: PAIRS }, (_, i) => pair(i)).flat();
  const up = await agent.commit(...all);
  t.is(up.error, "");
  t.log(`up in ${up.stop - up.start} ms`);
  const found = (await Promise.all(namespaces().map((namespace) => links({ namespace })))).flat();
  t.is(found.filter(({ flags }) => flags.includes("LOWER_UP")).length, 2 * PAIRS + NAMESPACES);
  t.is(found.flatMap((each) => each.addr_info).filter(({ scope }) => scope === "global").length, 4 * PAIRS);
  t.deepEqual(operations(await agent.resync(...all)), []);
  await t.notThrowsAsync(run(["ping", "-c1", "-W5", "10.1.243.2"], { namespace: `many${PAIRS % NAMESPACES}` }));

  const names = all.map(([key]) => key.slice(key.lastIndexOf("/") + 1));
  const down = await agent.commit(...names.map(dropInterface));
  t.is(down.error, "");
  await eventually(async () => (await namedNamespaces()).length === 0, {
    what: "the namespaces to go with their links",
  });
  t.log(`down in ${down.stop - down.start} ms`);
});

function namespaces(): readonly string[] {
  return Array.from({ length: NAMESPACES }, (_, i) => `many${i}`);
}
