import { writeFile } from "node:fs/promises";
import test from "ava";
import { InterfaceIndex } from "#plugins/linux/index.js";
import { type Interface, interfaceKey } from "#proto/index.js";
import { addressesOf, createNamespace, deleteNamespace, link, links, run } from "#test/support/sandbox.js";
import { type Change, LOWER, PRIVATE_KEY_FILE, type TypeCase } from "../types-table.js";
import { type Desired, dropInterface, NetworkAgent, operations, states, wantInterface, wantRoute } from "./network.js";
import { agrees } from "./witness.js";

/** The same story for every interface type; `ip` is the witness, after every step. */
const SUBJECT = interfaceKey("subject");
const ELSEWHERE = { namespace: { type: "NSID", reference: "elsewhere" } } as const;

let agent: NetworkAgent;

/** Declares the tests of these types, and their agent. */
export function declareTypes(cases: readonly TypeCase[]): void {
  test.before(async () => {
    agent = await NetworkAgent.start("types");
    await run(["ip", "link", "add", "foreign", "type", "bridge"]);
  });
  test.after.always(() => agent.close());
  for (const each of cases) declareType(each);
  declareNextLife(cases);
  if (cases.some(({ kind }) => kind === "wireguard")) {
    test.before(async () => writeFile(PRIVATE_KEY_FILE, await run(["wg", "genkey"]), { mode: 0o600 }));
  }
}

const route = wantRoute({ dst_network: "10.71.0.0/16", outgoing_interface: "subject", gw_addr: "10.70.0.9" });

function indexOfSubject(): number | undefined {
  return agent.agent.get(InterfaceIndex).get("subject")?.index;
}

/** Links that the kernel makes in every namespace once it has the module, which any test of the machine may have it load. */
const OF_MODULES = new Set(["gre0", "gretap0", "erspan0"]);

/** Names of all other links, sorted. */
async function names(): Promise<readonly string[]> {
  return (await links()).flatMap(({ ifname }) => (OF_MODULES.has(ifname) ? [] : [ifname])).sort();
}

/** Everything that a case wants, with its subject changed. */
function all(each: TypeCase, change: Partial<Interface> = {}): readonly Desired[] {
  return [...LOWER.map(wantInterface), wantInterface({ ...each.value, ...change }), route];
}

/** Changes that every type can make in place, all at once. */
function commonChange({ noAddress = false }: TypeCase): Partial<Interface> {
  return {
    host_if_name: "renamed",
    ip_addresses: ["10.70.0.2/24", "10.70.0.3/24", "fd00:70::2/64"],
    mtu: 1300,
    ...(noAddress ? {} : { phys_address: "02:00:00:00:70:01" }),
  };
}

/**
 * Declares the tests of one type. Each leaves the subject as the next begins with it, and the last leaves nothing but the lower links:
 * what a test that failed has left is put right by the commit of the next.
 */
function declareType(each: TypeCase): void {
  const { title, kind, value, seen, changes, stays = false } = each;
  const shown = { info_kind: kind, ...(Object.keys(seen).length > 0 ? { info_data: seen } : {}) };

  test.serial(`${title} is made as it was asked for, and a resync plans nothing`, async (t) => {
    const record = await agent.commit(...all(each));
    t.is(record.error, "", JSON.stringify(states(record)));
    const made = await link("subject");
    t.like(made, { ifalias: "tenuto:types:subject", linkinfo: shown });
    t.true(made?.flags.includes("UP"));
    t.deepEqual(made && addressesOf(made), ["10.70.0.1/24", "fd00:70::1/64"]);
    await agrees(t, agent);
    for (let time = 0; time < 2; time++) t.deepEqual(operations(await agent.resync(...all(each))), []);
  });

  const own = Object.entries(changes).map(([what, change]): [string, Change] => [what, change]);
  const shared: [string, Change] = ["what all types have", { to: commonChange(each), seen: {} }];
  for (const [what, { to, seen: seenThen, anew = false }] of [...own, shared]) {
    test.serial(`${title} changes ${anew ? "to another link" : "in place"}: ${what}`, async (t) => {
      await agent.commit(...all(each));
      const before = indexOfSubject();
      const record = await agent.commit(wantInterface({ ...value, ...to }));
      t.is(record.error, "", JSON.stringify(states(record)));
      const after = await link(to.host_if_name ?? "subject");
      if (Object.keys(seenThen).length > 0) t.like(after?.linkinfo, { info_data: seenThen });
      if (to.mtu !== undefined) t.is(after?.mtu, to.mtu);
      if (to.phys_address !== undefined) t.is(after?.address, to.phys_address);
      t.is(after?.ifindex !== before, anew);
      t.deepEqual(after && addressesOf(after), [...(to.ip_addresses ?? value.ip_addresses ?? [])].sort());
      t.true((await run(["ip", "route", "show", "10.71.0.0/16"])).includes("10.70.0.9"));
      await agrees(t, agent, "changed: ", [SUBJECT]);
      t.deepEqual(operations(await agent.resync(...all(each, to))), []);
      t.is((await agent.commit(wantInterface(value))).error, "");
      await agrees(t, agent, "changed back: ", [SUBJECT]);
      t.deepEqual(operations(await agent.resync(...all(each))), []);
    });
  }

  test.serial(`${title} keeps its addresses when it is set down, and its routes come back`, async (t) => {
    await agent.commit(...all(each));
    const before = indexOfSubject();
    t.is((await agent.commit(wantInterface({ ...value, enabled: false }))).error, "");
    const down = await link("subject");
    t.false(down?.flags.includes("UP"));
    t.deepEqual(down && addressesOf(down), ["10.70.0.1/24", "fd00:70::1/64"]);
    await agrees(t, agent, "down: ", [SUBJECT]);
    t.deepEqual(operations(await agent.resync(...all(each, { enabled: false }))), []);
    t.is((await agent.commit(wantInterface(value))).error, "");
    const up = await link("subject");
    t.is(up?.ifindex, before);
    await agrees(t, agent, "up: ", [SUBJECT]);
    t.deepEqual(up && addressesOf(up), ["10.70.0.1/24", "fd00:70::1/64"]);
    t.true((await run(["ip", "route", "show", "10.71.0.0/16"])).includes("10.70.0.9"));
  });

  test.serial(
    `${title} ${stays ? "is made anew in" : "moves to"} another namespace, with its addresses and routes`,
    async (t) => {
      await createNamespace("elsewhere");
      t.teardown(() => deleteNamespace("elsewhere"));
      await agent.commit(...all(each));
      const record = await agent.commit(wantInterface({ ...value, ...ELSEWHERE }));
      t.is(record.error, "", JSON.stringify(states(record)));
      t.is(operations(record).includes(`UPDATE ${SUBJECT}`), !stays);
      t.is(await link("subject"), undefined);
      const there = await link("subject", { namespace: "elsewhere" });
      t.like(there?.linkinfo, shown);
      t.deepEqual(there && addressesOf(there), ["10.70.0.1/24", "fd00:70::1/64"]);
      const routes = await run(["ip", "route", "show", "10.71.0.0/16"], { namespace: "elsewhere" });
      t.true(routes.includes("10.70.0.9"));
      await agrees(t, agent, "there: ", [SUBJECT]);
      t.deepEqual(operations(await agent.resync(...all(each, ELSEWHERE))), []);
      t.is((await agent.commit(wantInterface(value))).error, "");
      t.like((await link("subject"))?.linkinfo, shown);
      await agrees(t, agent, "back: ", [SUBJECT]);
      await agent.resync(...LOWER.map(wantInterface));
    },
  );

  test.serial(`${title} can be made in another namespace at once, and goes`, async (t) => {
    await createNamespace("elsewhere");
    t.teardown(() => deleteNamespace("elsewhere"));
    const before = await names();
    const record = await agent.commit(...all(each, { ...ELSEWHERE, host_if_name: "lower" }));
    t.is(record.error, "", JSON.stringify(states(record)));
    t.like(await link("lower", { namespace: "elsewhere" }), { ifalias: "tenuto:types:subject" });
    await agrees(t, agent, "there: ", [SUBJECT]);
    t.deepEqual(operations(await agent.resync(...all(each, { ...ELSEWHERE, host_if_name: "lower" }))), []);
    t.is((await agent.commit(dropInterface("subject"))).error, "");
    t.is(await link("lower", { namespace: "elsewhere" }), undefined);
    await agrees(t, agent, "gone: ", [SUBJECT]);
    await agent.resync(...LOWER.map(wantInterface));
    const after = await names();
    t.deepEqual(after, before);
    t.true(after.includes("foreign"));
  });
}

/** Whatever else the links are, these are their names and addresses in a test that has one of every type at once. */
function declareNextLife(cases: readonly TypeCase[]): void {
  test.serial("in the agent's next life a resync finds one of every type, and plans nothing", async (t) => {
    const every = cases.map(({ value }, n): Desired => {
      const own = { name: `subject${n}`, ip_addresses: [`10.${100 + n}.0.1/24`, `fd00:70:${n}::1/64`] };
      return wantInterface({ ...value, ...own });
    });
    const desired = [...LOWER.map(wantInterface), ...every];
    const record = await agent.resync(...desired);
    t.is(record.error, "", JSON.stringify(states(record)));
    await agent.close();
    const next = await NetworkAgent.start("types");
    agent = next;
    t.deepEqual(operations(await next.resync(...desired)), []);
    await agrees(t, next);
    await next.resync();
    t.deepEqual(await names(), ["foreign", "lo"]);
  });
}
