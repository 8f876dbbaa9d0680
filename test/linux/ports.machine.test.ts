import test from "ava";
import type { Drift } from "#core/scheduler/index.js";
import { interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, ip, link, run } from "#test/support/sandbox.js";
import { bridge, pair } from "./support/links.js";
import {
  type Desired,
  dropInterface,
  NetworkAgent,
  operations,
  states,
  wantForwarding,
  wantInterface,
  wantRoute,
} from "./support/network.js";
import { agrees } from "./support/witness.js";

/** VLANs of bridge ports, and members of VRFs. */
let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("ports");
});
test.afterEach((t) => agrees(t, agent));
test.afterEach.always(async () => {
  await agent.resync();
});
test.after.always(() => agent.close());

interface VlanView {
  readonly ifname: string;
  readonly vlans: readonly { readonly vlan: number; readonly vlanEnd?: number; readonly flags?: readonly string[] }[];
}

async function vlansOf(port: string): Promise<VlanView["vlans"]> {
  const views: readonly VlanView[] = JSON.parse(await run(["bridge", "-json", "-compressvlans", "vlan", "show"]));
  const vlans = views.find(({ ifname }) => ifname === port)?.vlans ?? [];
  return vlans.map(({ flags = [], ...vlan }) => ({ ...vlan, flags }));
}

test.serial("a port carries the VLANs it was given, and they change in place", async (t) => {
  const filtering = { vlan_filtering: true } as const;
  const first = bridge([{ interface: "a", pvid: 10, vlans: [{ first: 20, last: 29 }, { first: 40 }] }], filtering);
  t.is((await agent.commit(...pair("a"), first)).error, "");
  t.deepEqual(await vlansOf("a"), [
    { vlan: 10, flags: ["PVID", "Egress Untagged"] },
    { vlan: 20, vlanEnd: 29, flags: [] },
    { vlan: 40, flags: [] },
  ]);
  t.deepEqual(operations(await agent.resync(...pair("a"), first)), []);
  const second = bridge([{ interface: "a", vlans: [{ first: 25, last: 35 }] }], filtering);
  const changes = operations(await agent.commit(second));
  t.deepEqual(
    changes.filter((change) => !change.includes("/interface-vlans/")),
    ["UPDATE linux/interface-port/br/a"],
  );
  t.deepEqual(await vlansOf("a"), [
    { vlan: 1, flags: ["PVID", "Egress Untagged"] },
    { vlan: 25, vlanEnd: 35, flags: [] },
  ]);
  t.deepEqual(operations(await agent.resync(...pair("a"), second)), []);
});

const MAC = "02:00:00:00:00:01";

async function forwardingOf(port: string): Promise<readonly string[]> {
  const lines = (await run(["bridge", "fdb", "show", "dev", port])).split("\n").filter((line) => line.startsWith(MAC));
  return lines.map((line) => line.slice(MAC.length).trim()).sort();
}

test.serial("a forwarding entry waits for its VLAN, and one without is in every VLAN of the port", async (t) => {
  const having = (...ids: readonly number[]): Desired => {
    const vlans = ids.map((first) => ({ first }));
    return bridge([{ interface: "a", pvid: 10, vlans }], { vlan_filtering: true, self: { vlans: [{ first: 30 }] } });
  };
  const entry = wantForwarding({ interface: "a", hw_address: MAC, vlan: 20 });
  const own = wantForwarding({ interface: "br", hw_address: MAC, vlan: 30, self: true });
  await agent.commit(...pair("a"), having(), entry, own);
  t.like(agent.status(entry[0]), { state: "PENDING", details: ["VLAN 20 of interface a"] });
  t.deepEqual(await forwardingOf("br"), ["vlan 30 master br permanent"]);
  await agent.commit(having(20));
  t.deepEqual(await forwardingOf("a"), ["vlan 20 master br static"]);
  t.deepEqual(operations(await agent.resync(...pair("a"), having(20), entry, own)), []);
  // Of what the kernel cannot tell apart one is refused.
  const every = wantForwarding({ interface: "a", hw_address: MAC });
  await agent.commit(every);
  t.true(agent.status(every[0]).error.includes(`${entry[0]} is the same entry`));
  // The other one has its turn.
  await agent.commit(having());
  t.is(agent.status(entry[0]).state, "PENDING");
  await eventually(() => agent.status(every[0]).state === "CONFIGURED");
  t.deepEqual(await forwardingOf("a"), ["master br static", "vlan 10 master br static"]);
  await agent.commit([entry[0], undefined]);
  await agent.commit(having(25));
  await eventually(async () => (await forwardingOf("a")).length === 3);
  await eventually(() => agent.status(every[0]).state === "CONFIGURED");
  t.deepEqual(operations(await agent.resync(...pair("a"), having(25), every)), [`DELETE ${own[0]}`]);
  await agent.commit([every[0], undefined], bridge([{ interface: "a" }], { vlan_filtering: true }));
  t.deepEqual(await forwardingOf("a"), []);
});

const red = wantInterface({ name: "red", type: "VRF_DEVICE", enabled: true, vrf_dev: { routing_table: 10 } });
const ADDRESSES = ["10.82.0.1/24", "fd00:82::1/64"] as const;
const member = (vrf?: string): readonly Desired[] =>
  pair("a", { ip_addresses: ADDRESSES, ...(vrf === undefined ? {} : { vrf_master_interface: vrf }) });

test.serial("a member waits for its VRF with its addresses, and leaves it with them", async (t) => {
  const drifts: Drift[] = [];
  const unwatch = agent.scheduler.watchDrift((told) => drifts.push(...told));
  await agent.commit(...member("red"));
  t.deepEqual(addressesOf((await link("a"))!), []);
  t.deepEqual(operations(await agent.resync(...member("red"))), []);
  t.is(await agent.scheduler.refresh([interfaceKey("a"), interfaceKey("ap")]), undefined);
  t.deepEqual(drifts, [], "a link that waits for its VRF is as it should be");
  unwatch();
  const record = await agent.commit(red);
  t.is(record.error, "", JSON.stringify(states(record)));
  const joined = await link("a");
  t.like(joined, { master: "red" });
  t.deepEqual(joined && addressesOf(joined), [...ADDRESSES]);
  t.regex(await run(["ip", "-6", "route", "show", "table", "10"]), /fd00:82::\/64 dev a/);
  t.deepEqual(operations(await agent.resync(...member("red"), red)), []);
  t.is((await agent.commit(...member())).error, "");
  const left = await link("a");
  t.is(left?.master, undefined);
  t.deepEqual(left && addressesOf(left), [...ADDRESSES]);
  t.is((await agent.commit(...member("red"))).error, "");
  await agent.commit(dropInterface("red"));
  t.deepEqual(addressesOf((await link("a"))!), []);
});

test.serial("a route by a member is in the table of its VRF, and moves with the member", async (t) => {
  const blue = wantInterface({ name: "blue", type: "VRF_DEVICE", enabled: true, vrf_dev: { routing_table: 11 } });
  const route = wantRoute({ dst_network: "10.83.0.0/16", outgoing_interface: "a", gw_addr: "10.82.0.9" });
  const tables = async () => {
    const found = await ip("-details", "route", "show", "table", "all", "proto", "199");
    return found.map(({ table }) => table);
  };
  for (const [vrf, table] of [
    ["red", "10"],
    ["blue", "11"],
    [undefined, "main"],
  ] as const) {
    const all = [red, blue, route, ...member(vrf)];
    const record = await agent.commit(...all);
    t.is(record.error, "", JSON.stringify(states(record)));
    t.deepEqual(await tables(), [table]);
    const next = await NetworkAgent.start("ports");
    const again = await next.resync(...all);
    // Two agents of one label would undo each other's changes.
    await next.close();
    t.deepEqual(operations(again), []);
    t.deepEqual(operations(await agent.resync(...all)), []);
  }
});

test.serial("two VRFs cannot share a routing table", async (t) => {
  const blue = wantInterface({ name: "blue", type: "VRF_DEVICE", vrf_dev: { routing_table: 10 } });
  const record = await agent.commit(red, blue);
  const failed = Object.values(states(record)).filter((state) => state.startsWith("FAILED"));
  t.is(failed.length, 1);
  t.regex(failed[0] ?? "", /vrf_dev.routing_table: routing table 10 belongs to VRF (red|blue).* already/);
  await agent.resync(red);
  const undone = await agent.scheduler.commit({ changes: [blue, ...pair("a")], atomic: true, retry: false });
  t.true(undone.reverted);
  t.is(await link("a"), undefined);
});

test.serial("an interface cannot belong to something that is no VRF", async (t) => {
  const record = await agent.commit(...member("br"), bridge([]));
  t.regex(record.error, /a cannot belong to br, which is of type BRIDGE/);
});
