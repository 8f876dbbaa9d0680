import test from "ava";
import type { Interface } from "#proto/index.js";
import { addressesOf, link } from "#test/support/sandbox.js";
import { pair } from "./support/links.js";
import { type Desired, NetworkAgent, operations, states, wantInterface } from "./support/network.js";
import { agrees } from "./support/witness.js";

/** Ports of bonds: what the kernel does to them, and what they keep. */
let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("bonds");
});
test.afterEach((t) => agrees(t, agent));
test.afterEach.always(async () => {
  await agent.resync();
});
test.after.always(() => agent.close());

const OWN = { phys_address: "02:00:00:00:81:01", ip_addresses: ["10.81.0.1/24"] } as const;

function bond(ports: readonly string[], primary?: string, change: Partial<Interface> = {}): Desired {
  return wantInterface({
    name: "bond",
    type: "BOND",
    enabled: true,
    ...change,
    bond: { mode: "ACTIVE_BACKUP", miimon: 100, ports, ...(primary === undefined ? {} : { primary }) },
  });
}

test.serial("ports of a bond keep addresses and MAC address for the day they leave", async (t) => {
  const all = [...pair("a", OWN), ...pair("b"), bond(["a", "b"], "b")];
  const record = await agent.commit(...all);
  t.is(record.error, "", JSON.stringify(states(record)));
  t.like(await link("a"), { master: "bond" });
  t.like((await link("bond"))?.linkinfo, { info_data: { primary: "b" } });
  t.true((await link("b"))?.flags.includes("UP"));
  t.deepEqual(operations(await agent.resync(...all)), []);
  t.is((await agent.commit(bond(["a", "b"], "a"))).error, "");
  t.like((await link("bond"))?.linkinfo, { info_data: { primary: "a" } });
  t.is((await agent.commit(bond(["b"]))).error, "");
  const left = await link("a");
  t.is(left?.master, undefined);
  t.true(left?.flags.includes("UP"));
  t.is(left?.address, OWN.phys_address);
  t.deepEqual(left && addressesOf(left), ["10.81.0.1/24"]);
  t.deepEqual(operations(await agent.resync(...pair("a", OWN), ...pair("b"), bond(["b"]))), []);
});

test.serial("a port of a bond has the bond's MAC address, whatever else of it changes", async (t) => {
  await agent.commit(...pair("b"), bond(["a", "b"], "b"));
  t.is((await agent.commit(...pair("a", OWN))).error, "");
  const address = (await link("bond"))?.address;
  t.not(address, OWN.phys_address);
  t.like(await link("a"), { master: "bond", address });
  const changed = pair("a", { ...OWN, mtu: 1400, host_if_name: "port" });
  t.is((await agent.commit(...changed)).error, "");
  t.like(await link("port"), { master: "bond", mtu: 1400, address });
  t.deepEqual(operations(await agent.resync(...changed, ...pair("b"), bond(["a", "b"], "b"))), []);
});

test.serial("the preferred port of a bond stays that under another name", async (t) => {
  await agent.commit(...pair("a"), ...pair("b"), bond(["a", "b"], "a"));
  const renamed = pair("a", { host_if_name: "port" });
  t.is((await agent.commit(...renamed)).error, "");
  t.like((await link("bond"))?.linkinfo, { info_data: { primary: "port" } });
  t.deepEqual(operations(await agent.resync(...renamed, ...pair("b"), bond(["a", "b"], "a"))), []);
});

test.serial("a port of a bond gets another MAC address, and keeps the rest", async (t) => {
  const own = { ...OWN, mtu: 1400, ip_addresses: ["10.81.0.1/24", "fd00:81::1/64"] } as const;
  await agent.commit(...pair("a", own), ...pair("b"), bond(["a", "b"], "a"));
  const changed = pair("a", { ...own, phys_address: "02:00:00:00:81:02" });
  const record = await agent.commit(...changed);
  t.is(record.error, "", JSON.stringify(states(record)));
  const port = await link("a");
  t.like(port, { master: "bond", mtu: 1400 });
  t.true(port?.flags.includes("UP"));
  t.deepEqual(port && addressesOf(port), [...own.ip_addresses]);
  t.like((await link("bond"))?.linkinfo, { info_data: { primary: "a" } });
  t.deepEqual(operations(await agent.resync(...changed, ...pair("b"), bond(["a", "b"], "a"))), []);
  await agent.commit(bond(["b"]));
  t.like(await link("a"), { address: "02:00:00:00:81:02" });
});

test.serial("a port keeps its MTU in a bond that has another, and when it leaves", async (t) => {
  const all = [...pair("a", { mtu: 1400 }), bond(["a"], undefined, { mtu: 1300 })];
  t.is((await agent.commit(...all)).error, "");
  t.like(await link("a"), { master: "bond", mtu: 1400 });
  t.deepEqual(operations(await agent.resync(...all)), []);
  await agent.commit(...pair("a", { mtu: 1350 }));
  await agent.commit(bond([], undefined, { mtu: 1300 }));
  t.like(await link("a"), { mtu: 1350 });
});
