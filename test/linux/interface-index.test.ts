import test from "ava";
import { InterfaceIndex } from "#plugins/linux/index.js";
import { link } from "#test/support/sandbox.js";
import { dropInterface, NetworkAgent, wantInterface } from "./support/network.js";

const inside = { namespace: { type: "NSID", reference: "indexed" } } as const;
const outer = { name: "outer", type: "VETH", enabled: true, veth: { peer_if_name: "inner" } } as const;
const inner = {
  ...inside,
  name: "inner",
  type: "VETH",
  host_if_name: "eth0",
  veth: { peer_if_name: "outer" },
} as const;

test("an interface is found by logical name, host name, and namespace with index", async (t) => {
  const agent = await NetworkAgent.start("index");
  t.teardown(() => agent.close());
  const index = agent.agent.get(InterfaceIndex);
  const changes: string[] = [];
  t.teardown(index.watch((name, metadata) => changes.push(`${name} ${metadata?.hostName ?? "gone"}`)));

  await agent.commit(wantInterface(outer), wantInterface(inner));
  const found = index.get("inner");
  t.like(found, { name: "inner", type: "VETH", hostName: "eth0", ours: true, ...inside });
  t.is(found?.index, (await link("eth0", { namespace: "indexed" }))?.ifindex);
  t.deepEqual(index.byHostName("eth0"), [found]);
  t.is(index.byIndex(found?.namespaceIdentity ?? "", found?.index ?? 0), found);
  t.is(index.namespaceOf("inner")?.identity, found?.namespaceIdentity);
  t.not(index.get("outer")?.namespaceIdentity, found?.namespaceIdentity);

  await agent.commit(wantInterface({ ...inner, host_if_name: "eth1" }));
  t.deepEqual(index.byHostName("eth0"), []);
  t.is(index.byHostName("eth1")[0]?.name, "inner");

  await agent.commit(dropInterface("outer"), dropInterface("inner"));
  t.is(index.get("inner"), undefined);
  t.is(index.namespaceOf("inner"), undefined);
  t.deepEqual(index.all(), []);
  t.deepEqual(changes.slice(-3).sort(), ["inner eth1", "inner gone", "outer gone"]);
});
