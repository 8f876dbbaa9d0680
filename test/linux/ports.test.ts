import test from "ava";
import { type Interface, interfaceKey } from "#proto/index.js";
import { ip, link, run } from "#test/support/sandbox.js";
import { bridge, pair } from "./support/links.js";
import { type Desired, dropInterface, NetworkAgent, operations, states, wantInterface } from "./support/network.js";
import { agrees } from "./support/witness.js";

/** Ports of bridges. VLANs of ports and members of VRFs are in ports.machine.test.ts, ports of bonds in bonds.machine.test.ts. */
let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("ports");
});
test.afterEach((t) => agrees(t, agent));
test.afterEach.always(async () => {
  await agent.resync();
});
test.after.always(() => agent.close());

const NEAR = { namespace: { type: "NSID", reference: "host1" } } as const;

interface PortView {
  readonly linkinfo: { readonly info_slave_data: Readonly<Record<string, unknown>> };
}

async function portView(name: string): Promise<Readonly<Record<string, unknown>>> {
  const [view] = await ip<PortView>("-d", "link", "show", name);
  return view?.linkinfo.info_slave_data ?? {};
}

for (const mtu of [1400, 1500]) {
  test.serial(`a bridge keeps an MTU of ${mtu} that it was given, whatever its ports have`, async (t) => {
    const held = wantInterface({ name: "br", type: "BRIDGE", mtu, bridge: { ports: [{ interface: "a" }] } });
    t.is((await agent.commit(held, ...pair("a", { mtu: 1450 }))).error, "");
    t.like(await link("br"), { mtu });
    t.like(await link("a"), { mtu: 1450, master: "br" });
  });
}

test.serial("a port waits for its interface, joins, and leaves with it", async (t) => {
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

test.serial(
  "a port of a bridge has its settings, and they change in place, but for a cost that is taken out",
  async (t) => {
    const settings = { path_cost: 7, priority: 5, hairpin: true, isolated: true, learning: false } as const;
    const all = [...pair("a"), bridge([{ interface: "a", ...settings, bpdu_guard: true, root_block: true }])];
    t.is((await agent.commit(...all)).error, "");
    const made = { cost: 7, priority: 5, hairpin: true, isolated: true, learning: false };
    t.like(await portView("a"), { ...made, guard: true, root_block: true });
    t.deepEqual(operations(await agent.resync(...all)), []);
    const changed = bridge([{ interface: "a", path_cost: 7, unicast_flood: false }]);
    const record = await agent.commit(changed);
    t.deepEqual(operations(record), ["UPDATE linux/interface-port/br/a"]);
    t.like(await portView("a"), { priority: 32, hairpin: false, isolated: false, learning: true, flood: false });
    t.deepEqual(operations(await agent.resync(...pair("a"), changed)), []);
    // The kernel has no word for the cost that it would choose itself: the port joins anew.
    const port = "linux/interface-port/br/a";
    t.deepEqual(operations(await agent.commit(bridge([{ interface: "a" }]))), [`DELETE ${port}`, `CREATE ${port}`]);
  },
);

test.serial("an interface goes from one bridge to another in one transaction", async (t) => {
  await agent.commit(...pair("a"), bridge([{ interface: "a" }]), bridge([], {}, "br2"));
  const record = await agent.commit(bridge([]), bridge([{ interface: "a" }], {}, "br2"));
  t.is(record.error, "", JSON.stringify(states(record)));
  t.like(await link("a"), { master: "br2" });
});

test.serial("an interface cannot be a port of two bridges: the second says so", async (t) => {
  await agent.commit(...pair("a"), bridge([{ interface: "a" }]));
  const record = await agent.commit(bridge([{ interface: "a" }], {}, "br2"));
  t.regex(record.error, /a cannot be a port of br2: it belongs to br already/);
  t.like(await link("a"), { master: "br" });
});

test.serial("a port in another namespace than its bridge fails until it comes", async (t) => {
  const record = await agent.commit(...pair("a", NEAR), bridge([{ interface: "a" }]));
  t.regex(record.error, /a and br are in different namespaces/);
  t.is((await agent.commit(...pair("a"))).error, "");
  t.like(await link("a"), { master: "br" });
  await agent.commit(...pair("a", NEAR));
  t.truthy(await link("a", { namespace: "host1" }));
});

test.serial("a port that a resync finds elsewhere is brought back, a foreign one is left alone", async (t) => {
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

test.serial("packets pass a bridge between two namespaces", async (t) => {
  const far = (name: string, address: string): Desired =>
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
  test.serial(`invalid: ${JSON.stringify(value)}`, async (t) => {
    const [status] = (await agent.commit(wantInterface(value))).values;
    t.is(status?.state, "INVALID");
    t.true(
      status?.details.some((each) => problem.test(each)),
      JSON.stringify(status),
    );
  });
}
