import test from "ava";
import { interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, ip, link, run } from "#test/support/sandbox.js";
import {
  type Desired,
  dropInterface,
  NetworkAgent,
  operations,
  wantInterface,
  wantNeighbour,
  wantRoute,
} from "./support/network.js";
import { agrees } from "./support/witness.js";

/** Interfaces that use the addresses of another one. */
let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("unnumbered");
});
test.afterEach((t) => agrees(t, agent));
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

const donor = (...addresses: readonly string[]): Desired =>
  wantInterface({ name: "donor", type: "BRIDGE", enabled: true, ip_addresses: addresses, bridge: {} });
const dependent = (enabled = true): Desired =>
  wantInterface({ name: "dependent", type: "TAP", enabled, unnumbered: "donor", tuntap: {} });

async function addresses(name: string): Promise<readonly string[] | undefined> {
  const view = await link(name);
  return view && addressesOf(view);
}

test.serial("an unnumbered interface is there without addresses, and gets the donor's when they come", async (t) => {
  await agent.commit(dependent());
  t.deepEqual(await addresses("dependent"), []);
  const [donated] = agent.status(interfaceKey("dependent")).derived.filter(({ key }) => key.includes("unnumbered"));
  t.like(donated, { state: "PENDING", details: ["addresses of interface donor"] });
  await agent.commit(donor("10.90.0.1/24", "fd00:90::1/64"));
  t.deepEqual(await addresses("dependent"), ["10.90.0.1/32", "fd00:90::1/128"]);
  t.deepEqual(operations(await agent.resync(dependent(), donor("10.90.0.1/24", "fd00:90::1/64"))), []);
});

test.serial("it follows the donor, and returns the addresses before the donor loses them", async (t) => {
  await agent.commit(dependent(), donor("10.90.0.1/24"));
  t.is((await agent.commit(donor("10.90.0.2/24", "10.91.0.1/24"))).error, "");
  t.deepEqual(await addresses("dependent"), ["10.90.0.2/32", "10.91.0.1/32"]);
  const { index } = { index: (await link("dependent"))?.ifindex };
  t.is((await agent.commit(dropInterface("donor"))).error, "");
  t.deepEqual(await addresses("dependent"), []);
  t.is((await link("dependent"))?.ifindex, index);
});

test.serial("a resync leaves it alone, in whatever order the kernel lists the donor's addresses", async (t) => {
  const owner = donor("10.90.0.2/24", "fd00:90::1/64", "10.90.0.1/24", "10.91.0.1/24");
  await agent.commit(dependent(), owner);
  t.deepEqual(operations(await agent.resync(dependent(), owner)), []);
});

test.serial("routes and neighbours of its own come back when what its donor has is replaced, or is gone", async (t) => {
  const route = wantRoute({ outgoing_interface: "dependent", dst_network: "10.95.0.0/16" });
  const neighbour = wantNeighbour({ interface: "dependent", ip_address: "10.95.0.9", hw_address: "02:00:00:00:95:09" });
  await agent.commit(dependent(), donor("10.90.0.1/24"), route, neighbour);
  for (const change of [donor("10.90.0.2/24"), donor("10.90.0.2/24", "10.91.0.1/24"), dropInterface("donor")]) {
    t.is((await agent.commit(change)).error, "");
    await eventually(async () => (await ip("route", "show", "10.95.0.0/16")).length === 1);
    await eventually(async () => (await ip("neighbour", "show", "nud", "permanent")).length === 1);
  }
});

test.serial("it keeps them when it is set down and up", async (t) => {
  const owner = donor("10.90.0.1/24", "fd00:90::1/64");
  await agent.commit(dependent(), owner);
  await agent.commit(dependent(false));
  t.deepEqual(await addresses("dependent"), ["10.90.0.1/32", "fd00:90::1/128"]);
  t.deepEqual(operations(await agent.resync(dependent(false), owner)), []);
  await agent.commit(dependent());
  t.deepEqual(await addresses("dependent"), ["10.90.0.1/32", "fd00:90::1/128"]);
});

test.serial("a resync puts back what is missing and takes away what is too much", async (t) => {
  const owner = donor("10.90.0.1/24", "10.91.0.1/24");
  await agent.commit(dependent(), owner);
  await run(["ip", "address", "delete", "10.90.0.1/32", "dev", "dependent"]);
  await agent.resync(dependent(), owner);
  t.deepEqual(await addresses("dependent"), ["10.90.0.1/32", "10.91.0.1/32"]);
  const numbered = {
    name: "dependent",
    type: "TAP",
    enabled: true,
    ip_addresses: ["10.92.0.1/24"],
    tuntap: {},
  } as const;
  t.is((await agent.commit(wantInterface(numbered))).error, "");
  t.deepEqual(await addresses("dependent"), ["10.92.0.1/24"]);
  t.is((await agent.commit(dependent())).error, "");
  t.deepEqual(await addresses("dependent"), ["10.90.0.1/32", "10.91.0.1/32"]);
});

for (const [what, change, problem] of [
  ["itself", { unnumbered: "dependent" }, /unnumbered.*itself/],
  ["with addresses", { unnumbered: "donor", ip_addresses: ["10.0.0.1/24"] }, /unnumbered.*ip_addresses of its own/],
  ["with link_only", { unnumbered: "donor", link_only: true }, /unnumbered.*link_only/],
] as const) {
  test.serial(`invalid: unnumbered ${what}`, async (t) => {
    const record = await agent.commit(wantInterface({ name: "dependent", type: "TAP", tuntap: {}, ...change }));
    t.regex(record.values[0]?.details.join() ?? "", problem);
  });
}
