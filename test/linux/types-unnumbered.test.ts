import test from "ava";
import { interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, ip, link, run } from "#test/support/sandbox.js";
import {
  dropInterface,
  NetworkAgent,
  operations,
  type Wanted,
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

const lender = (...addresses: readonly string[]): Wanted =>
  wantInterface({ name: "lender", type: "BRIDGE", enabled: true, ip_addresses: addresses, bridge: {} });
const borrower = (enabled = true): Wanted =>
  wantInterface({ name: "borrower", type: "TAP", enabled, unnumbered: "lender", tuntap: {} });

async function addresses(name: string): Promise<readonly string[] | undefined> {
  const view = await link(name);
  return view && addressesOf(view);
}

test.serial("an unnumbered interface is there without addresses, and gets the lender's when they come", async (t) => {
  await agent.commit(borrower());
  t.deepEqual(await addresses("borrower"), []);
  const [borrowed] = agent.status(interfaceKey("borrower")).derived.filter(({ key }) => key.includes("borrowed"));
  t.like(borrowed, { state: "PENDING", details: ["addresses of interface lender"] });
  await agent.commit(lender("10.90.0.1/24", "fd00:90::1/64"));
  t.deepEqual(await addresses("borrower"), ["10.90.0.1/32", "fd00:90::1/128"]);
  t.deepEqual(operations(await agent.resync(borrower(), lender("10.90.0.1/24", "fd00:90::1/64"))), []);
});

test.serial("it follows the lender, and returns the addresses before the lender loses them", async (t) => {
  await agent.commit(borrower(), lender("10.90.0.1/24"));
  t.is((await agent.commit(lender("10.90.0.2/24", "10.91.0.1/24"))).error, "");
  t.deepEqual(await addresses("borrower"), ["10.90.0.2/32", "10.91.0.1/32"]);
  const { index } = { index: (await link("borrower"))?.ifindex };
  t.is((await agent.commit(dropInterface("lender"))).error, "");
  t.deepEqual(await addresses("borrower"), []);
  t.is((await link("borrower"))?.ifindex, index);
});

test.serial("a resync leaves it alone, in whatever order the kernel lists the lender's addresses", async (t) => {
  const owner = lender("10.90.0.2/24", "fd00:90::1/64", "10.90.0.1/24", "10.91.0.1/24");
  await agent.commit(borrower(), owner);
  t.deepEqual(operations(await agent.resync(borrower(), owner)), []);
});

test.serial("routes and neighbours of its own come back when what it borrowed is replaced, or is gone", async (t) => {
  const route = wantRoute({ outgoing_interface: "borrower", dst_network: "10.95.0.0/16" });
  const neighbour = wantNeighbour({ interface: "borrower", ip_address: "10.95.0.9", hw_address: "02:00:00:00:95:09" });
  await agent.commit(borrower(), lender("10.90.0.1/24"), route, neighbour);
  for (const change of [lender("10.90.0.2/24"), lender("10.90.0.2/24", "10.91.0.1/24"), dropInterface("lender")]) {
    t.is((await agent.commit(change)).error, "");
    await eventually(async () => (await ip("route", "show", "10.95.0.0/16")).length === 1);
    await eventually(async () => (await ip("neighbour", "show", "nud", "permanent")).length === 1);
  }
});

test.serial("it keeps them when it is set down and up", async (t) => {
  const owner = lender("10.90.0.1/24", "fd00:90::1/64");
  await agent.commit(borrower(), owner);
  await agent.commit(borrower(false));
  t.deepEqual(await addresses("borrower"), ["10.90.0.1/32", "fd00:90::1/128"]);
  t.deepEqual(operations(await agent.resync(borrower(false), owner)), []);
  await agent.commit(borrower());
  t.deepEqual(await addresses("borrower"), ["10.90.0.1/32", "fd00:90::1/128"]);
});

test.serial("a resync puts back what is missing and takes away what is too much", async (t) => {
  const owner = lender("10.90.0.1/24", "10.91.0.1/24");
  await agent.commit(borrower(), owner);
  await run(["ip", "address", "delete", "10.90.0.1/32", "dev", "borrower"]);
  await agent.resync(borrower(), owner);
  t.deepEqual(await addresses("borrower"), ["10.90.0.1/32", "10.91.0.1/32"]);
  const numbered = {
    name: "borrower",
    type: "TAP",
    enabled: true,
    ip_addresses: ["10.92.0.1/24"],
    tuntap: {},
  } as const;
  t.is((await agent.commit(wantInterface(numbered))).error, "");
  t.deepEqual(await addresses("borrower"), ["10.92.0.1/24"]);
  t.is((await agent.commit(borrower())).error, "");
  t.deepEqual(await addresses("borrower"), ["10.90.0.1/32", "10.91.0.1/32"]);
});

for (const [what, change, problem] of [
  ["itself", { unnumbered: "borrower" }, /unnumbered.*itself/],
  ["with addresses", { unnumbered: "lender", ip_addresses: ["10.0.0.1/24"] }, /unnumbered.*ip_addresses of its own/],
  ["with link_only", { unnumbered: "lender", link_only: true }, /unnumbered.*link_only/],
] as const) {
  test.serial(`invalid: unnumbered ${what}`, async (t) => {
    const record = await agent.commit(wantInterface({ name: "borrower", type: "TAP", tuntap: {}, ...change }));
    t.regex(record.values[0]?.details.join() ?? "", problem);
  });
}
