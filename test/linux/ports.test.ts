import test from "ava";
import type { Drift } from "#core/scheduler/index.js";
import { type BridgeLinkPort, type Interface, interfaceKey } from "#proto/index.js";
import { addressesOf, ip, link, run } from "#test/support/sandbox.js";
import { hasKind, IN_ANOTHER_KERNEL } from "./support/kinds.js";
import {
  dropInterface,
  NetworkAgent,
  operations,
  states,
  type Wanted,
  wantInterface,
  wantRoute,
} from "./support/network.js";
import { agrees } from "./support/witness.js";

/** Interfaces that belong to another one: ports of bridges, and members of VRFs. Those of bonds are in bonds.test.ts. */
let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("ports");
});
test.afterEach((t) => agrees(t, agent));
test.afterEach.always(async () => {
  await agent.resync();
});
test.after.always(() => agent.close());

/** What every kernel has is tried in the machine's own. */
const here = IN_ANOTHER_KERNEL ? test.serial.skip : test.serial;

const NEAR = { namespace: { type: "NSID", reference: "host1" } } as const;

function pair(name: string, change: Partial<Interface> = {}): readonly Wanted[] {
  return [
    wantInterface({ name, type: "VETH", enabled: true, ...change, veth: { peer_if_name: `${name}p` } }),
    wantInterface({ name: `${name}p`, type: "VETH", enabled: true, veth: { peer_if_name: name } }),
  ];
}

const bridge = (ports: readonly BridgeLinkPort[], change: Interface["bridge"] = {}, name = "br"): Wanted =>
  wantInterface({ name, type: "BRIDGE", enabled: true, bridge: { ...change, ports } });

interface PortView {
  readonly linkinfo: { readonly info_slave_data: Readonly<Record<string, unknown>> };
}

async function portView(name: string): Promise<Readonly<Record<string, unknown>>> {
  const [view] = await ip<PortView>("-d", "link", "show", name);
  return view?.linkinfo.info_slave_data ?? {};
}

for (const mtu of [1400, 1500]) {
  here(`a bridge keeps an MTU of ${mtu} that it was given, whatever its ports have`, async (t) => {
    const held = wantInterface({ name: "br", type: "BRIDGE", mtu, bridge: { ports: [{ interface: "a" }] } });
    t.is((await agent.commit(held, ...pair("a", { mtu: 1450 }))).error, "");
    t.like(await link("br"), { mtu });
    t.like(await link("a"), { mtu: 1450, master: "br" });
  });
}

here("a port waits for its interface, joins, and leaves with it", async (t) => {
  await agent.commit(bridge([{ interface: "a" }]));
  const br = agent.status(interfaceKey("br"));
  t.is(br.state, "CONFIGURED");
  t.like(
    br.derived.find(({ key }) => key.endsWith("br/a")),
    { state: "PENDING", details: ["interface a"] },
  );
  const record = await agent.commit(...pair("a"));
  t.is(record.error, "");
  t.like(await link("a"), { master: "br" });
  t.deepEqual(operations(await agent.resync(...pair("a"), bridge([{ interface: "a" }]))), []);
  await agent.commit(dropInterface("a"), dropInterface("ap"));
  t.truthy(await link("br"));
  await agent.commit(...pair("a"));
  t.like(await link("a"), { master: "br" });
});

here("a port of a bridge has its settings, and they change in place", async (t) => {
  const settings = { path_cost: 7, priority: 5, hairpin: true, isolated: true, learning: false } as const;
  const all = [...pair("a"), bridge([{ interface: "a", ...settings, bpdu_guard: true, root_block: true }])];
  t.is((await agent.commit(...all)).error, "");
  const made = { cost: 7, priority: 5, hairpin: true, isolated: true, learning: false };
  t.like(await portView("a"), { ...made, guard: true, root_block: true });
  t.deepEqual(operations(await agent.resync(...all)), []);
  const changed = bridge([{ interface: "a", unicast_flood: false }]);
  const record = await agent.commit(changed);
  t.deepEqual(operations(record), ["UPDATE linux/interface-port/br/a"]);
  t.like(await portView("a"), { priority: 32, hairpin: false, isolated: false, learning: true, flood: false });
  t.deepEqual(operations(await agent.resync(...pair("a"), changed)), []);
});

here("an interface goes from one bridge to another in one transaction", async (t) => {
  await agent.commit(...pair("a"), bridge([{ interface: "a" }]), bridge([], {}, "br2"));
  const record = await agent.commit(bridge([]), bridge([{ interface: "a" }], {}, "br2"));
  t.is(record.error, "", JSON.stringify(states(record)));
  t.like(await link("a"), { master: "br2" });
});

here("an interface cannot be a port of two bridges: the second says so", async (t) => {
  await agent.commit(...pair("a"), bridge([{ interface: "a" }]));
  const record = await agent.commit(bridge([{ interface: "a" }], {}, "br2"));
  t.regex(record.error, /a cannot be a port of br2: it belongs to br already/);
  t.like(await link("a"), { master: "br" });
});

here("a port in another namespace than its bridge fails until it comes", async (t) => {
  const record = await agent.commit(...pair("a", NEAR), bridge([{ interface: "a" }]));
  t.regex(record.error, /a and br are in different namespaces/);
  t.is((await agent.commit(...pair("a"))).error, "");
  t.like(await link("a"), { master: "br" });
  await agent.commit(...pair("a", NEAR));
  t.truthy(await link("a", { namespace: "host1" }));
});

here("a port that a resync finds elsewhere is brought back, a foreign one is left alone", async (t) => {
  const all = [...pair("a"), bridge([{ interface: "a" }])];
  await agent.commit(...all);
  await run(["ip", "link", "set", "dev", "a", "nomaster"]);
  await run(["ip", "link", "add", "theirs", "type", "veth", "peer", "name", "theirsp"]);
  await run(["ip", "link", "set", "theirs", "master", "br"]);
  await agent.resync(...all);
  t.like(await link("a"), { master: "br" });
  t.like(await link("theirs"), { master: "br" });
  await run(["ip", "link", "delete", "theirs"]);
});

here("packets pass a bridge between two namespaces", async (t) => {
  const far = (name: string, address: string): Wanted =>
    wantInterface({
      name: `${name}p`,
      type: "VETH",
      enabled: true,
      namespace: { type: "NSID", reference: `ns-${name}` },
      ip_addresses: [address],
      veth: { peer_if_name: name },
    });
  const [a] = pair("a");
  const [b] = pair("b");
  if (a === undefined || b === undefined) throw new Error("no pairs");
  const ports = [{ interface: "a" }, { interface: "b" }];
  const record = await agent.commit(a, b, far("a", "10.80.0.1/24"), far("b", "10.80.0.2/24"), bridge(ports));
  t.is(record.error, "");
  await t.notThrowsAsync(run(["ping", "-c1", "-W5", "10.80.0.2"], { namespace: "ns-a" }));
});

const invalid: readonly (readonly [value: Interface & { readonly name: string }, problem: RegExp])[] = [
  [{ name: "br", type: "BRIDGE", bridge: { ports: [{ interface: "br" }] } }, /bridge.ports\[0\].interface.*itself/],
  [
    { name: "br", type: "BRIDGE", bridge: { ports: [{ interface: "a" }, { interface: "a" }] } },
    /bridge.ports\[1\].interface.*a port already/,
  ],
  [
    { name: "br", type: "BRIDGE", bridge: { ports: [{ interface: "a", pvid: 5 }] } },
    /bridge.ports\[0\].*no vlan_filtering/,
  ],
  [
    {
      name: "br",
      type: "BRIDGE",
      bridge: { vlan_filtering: true, ports: [{ interface: "a", vlans: [{ first: 4000, last: 4095 }] }] },
    },
    /bridge.ports\[0\].vlans\[0\].last.*4095/,
  ],
  [{ name: "b", type: "BOND", bond: { ports: ["a"], primary: "c", mode: "ACTIVE_BACKUP" } }, /bond.primary.*none of/],
  [{ name: "b", type: "BOND", bond: { up_delay: 100 } }, /bond.miimon/],
  [{ name: "v", type: "VRF_DEVICE" }, /vrf_dev.routing_table.*missing/],
  [{ name: "v", type: "VRF_DEVICE", vrf_dev: { routing_table: 254 } }, /vrf_dev.routing_table.*main table/],
  [{ name: "v", type: "DUMMY", vrf_master_interface: "v" }, /vrf_master_interface.*itself/],
  [{ name: "v", type: "VLAN", vlan: { lower_interface: "v", id: 5 } }, /vlan.lower_interface.*itself/],
  [{ name: "v", type: "VLAN", vlan: { lower_interface: "a", id: 4095 } }, /vlan.id.*4095, expected 1 to 4094/],
  [{ name: "v", type: "VLAN", vlan: { lower_interface: "a" } }, /vlan.id.*missing/],
  [{ name: "x", type: "VXLAN", vxlan: { vni: 1 << 24 } }, /vxlan.vni/],
  [{ name: "x", type: "VXLAN", vxlan: { vni: 1, remote: "239.0.0.1" } }, /vxlan.underlay_interface.*multicast/],
  [{ name: "g", type: "GRE", gre: { local: "10.0.0.1", remote: "fd00::1" } }, /gre.remote.*address family/],
  [{ name: "g", type: "GENEVE", geneve: { vni: 1 } }, /geneve.remote.*missing/],
];

for (const [value, problem] of invalid) {
  here(`invalid: ${JSON.stringify(value)}`, async (t) => {
    const [status] = (await agent.commit(wantInterface(value))).values;
    t.is(status?.state, "INVALID");
    t.true(
      status?.details.some((each) => problem.test(each)),
      JSON.stringify(status),
    );
  });
}

const withVlans = hasKind("bridge", ["vlan_filtering", "1"]) ? test.serial : test.serial.skip;

interface VlanView {
  readonly ifname: string;
  readonly vlans: readonly { readonly vlan: number; readonly vlanEnd?: number; readonly flags?: readonly string[] }[];
}

async function vlansOf(port: string): Promise<VlanView["vlans"]> {
  const views: readonly VlanView[] = JSON.parse(await run(["bridge", "-json", "-compressvlans", "vlan", "show"]));
  const vlans = views.find(({ ifname }) => ifname === port)?.vlans ?? [];
  return vlans.map(({ flags = [], ...vlan }) => ({ ...vlan, flags }));
}

withVlans("a port carries the VLANs it was given, and they change in place", async (t) => {
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
  t.deepEqual(operations(await agent.commit(second)), ["UPDATE linux/interface-port/br/a"]);
  t.deepEqual(await vlansOf("a"), [
    { vlan: 1, flags: ["PVID", "Egress Untagged"] },
    { vlan: 25, vlanEnd: 35, flags: [] },
  ]);
  t.deepEqual(operations(await agent.resync(...pair("a"), second)), []);
});

const withVrfs = hasKind("vrf", ["table", "10"]) ? test.serial : test.serial.skip;
const red = wantInterface({ name: "red", type: "VRF_DEVICE", enabled: true, vrf_dev: { routing_table: 10 } });
const ADDRESSES = ["10.82.0.1/24", "fd00:82::1/64"] as const;
const member = (vrf?: string): readonly Wanted[] =>
  pair("a", { ip_addresses: ADDRESSES, ...(vrf === undefined ? {} : { vrf_master_interface: vrf }) });

withVrfs("a member waits for its VRF with its addresses, and leaves it with them", async (t) => {
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

withVrfs("a route by a member is in the table of its VRF, and moves with the member", async (t) => {
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

withVrfs("two VRFs cannot share a routing table", async (t) => {
  const blue = wantInterface({ name: "blue", type: "VRF_DEVICE", vrf_dev: { routing_table: 10 } });
  const record = await agent.commit(red, blue);
  const failed = Object.values(states(record)).filter((state) => state.startsWith("FAILED"));
  t.is(failed.length, 1);
  t.regex(failed[0] ?? "", /vrf_dev.routing_table: routing table 10 belongs to VRF (red|blue).* already/);
});

withVrfs("an interface cannot belong to something that is no VRF", async (t) => {
  const record = await agent.commit(...member("br"), bridge([]));
  t.regex(record.error, /a cannot belong to br, which is of type BRIDGE/);
});
