import test from "ava";
import { type Interface, interfaceKey, routeKey } from "#proto/index.js";
import { links, run } from "#test/support/sandbox.js";
import { type Desired, NetworkAgent, states, wantInterface, wantRoute } from "./support/network.js";
import { agrees } from "./support/witness.js";

/** Values that cannot be as they are asked for: each says so under its key, with its field, and harms nobody else. */
let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("bad-input");
});
test.afterEach.always(() => agent.resync());
test.after.always(() => agent.close());

interface Case {
  /** What is there already. */
  readonly before?: readonly Desired[];
  readonly bad: Desired;
  readonly state: "INVALID" | "FAILED" | "PENDING";
  /** Of what is said about it. */
  readonly says: RegExp;
}

const bad = (value: Partial<Interface>) => wantInterface({ name: "bad", type: "BRIDGE", bridge: {}, ...value });
const macvlan = (name: string) => ({ name, type: "MACVLAN", macvlan: { lower_interface: "near" } }) as const;

const CASES: Readonly<Record<string, Case>> = {
  "a name of more than 15 bytes": {
    bad: bad({ name: "sixteen-letters!" }),
    state: "INVALID",
    says: /^name: is "sixteen-letters!", .* 16 bytes, at most 15/,
  },
  "a name with a slash": { bad: bad({ name: "a/b" }), state: "INVALID", says: /^name: is "a\/b", .* slash/ },
  'the name "default" (kernel: settings of all links)': {
    bad: bad({ name: "default" }),
    state: "INVALID",
    says: /^name: is "default", .*settings for all links; set host_if_name/,
  },
  'the host name "all"': { bad: bad({ host_if_name: "all" }), state: "INVALID", says: /^host_if_name: is "all"/ },
  "a MAC address of an IPVLAN (libnetwork#1007)": {
    bad: wantInterface({
      name: "bad",
      type: "IPVLAN",
      phys_address: "02:00:00:00:00:55",
      ipvlan: { lower_interface: "near" },
    }),
    state: "INVALID",
    says: /^phys_address: is 02:00:00:00:00:55, but an IPVLAN has the MAC address of its lower interface/,
  },
  "a MAC address of a TUN": {
    bad: wantInterface({ name: "bad", type: "TAP", phys_address: "02:00:00:00:00:55", tuntap: { mode: "TUN" } }),
    state: "INVALID",
    says: /^phys_address: .* a TUN has none/,
  },
  "a VRF in a VRF": {
    bad: wantInterface({
      name: "bad",
      type: "VRF_DEVICE",
      vrf_master_interface: "near",
      vrf_dev: { routing_table: 9 },
    }),
    state: "INVALID",
    says: /^vrf_master_interface: is "near", but no interface of type VRF_DEVICE can belong to a VRF/,
  },
  "a network that two WireGuard peers have (opnsense#9007)": {
    bad: wantInterface({
      name: "bad",
      type: "WIREGUARD",
      wireguard: {
        private_key_file: "/dev/null",
        peers: [
          { public_key: "SOyKck0IW+VjZ9bLyhRUzym31H2lGdKaKMtAY3n7I7E=", allowed_ips: ["fd00:1234:5678::/56"] },
          { public_key: "BEUpECrZgwovqHh6cEA/DBAwFhb0Q/ECNPnzhiHOx1I=", allowed_ips: ["fd00:1234:5678:1::/56"] },
        ],
      },
    }),
    state: "INVALID",
    says: /peers\[1\].allowed_ips\[0\]: is fd00:1234:5678::\/56, .* peer SOyKck0IW.* peer BEUpECrZg/,
  },
  "checksums of a GENEVE whose settings come with each packet": {
    bad: wantInterface({ name: "bad", type: "GENEVE", geneve: { collect_metadata: true, udp_checksum: true } }),
    state: "INVALID",
    says: /^geneve.udp_checksum: .* comes with each packet/,
  },
  "a preferred port of a bond that balances": {
    bad: wantInterface({ name: "bad", type: "BOND", bond: { mode: "BALANCE_XOR", ports: ["near"], primary: "near" } }),
    state: "INVALID",
    says: /^bond.primary: is set, but only ACTIVE_BACKUP, BALANCE_TLB, BALANCE_ALB prefer a port/,
  },
  "a VXLAN whose other end is link-local, without a link": {
    bad: wantInterface({ name: "bad", type: "VXLAN", vxlan: { vni: 5, remote: "fe80::1" } }),
    state: "INVALID",
    says: /^vxlan.underlay_interface: is missing, but fe80::1 means nothing without a link/,
  },
  "a host name with a slash": { bad: bad({ host_if_name: "a/b" }), state: "INVALID", says: /^host_if_name: is "a\/b"/ },
  "an address without a prefix": {
    bad: bad({ ip_addresses: ["10.1.0.1/24", "10.2.0.1"] }),
    state: "INVALID",
    says: /^ip_addresses\[1\]: is "10.2.0.1", expected an address with prefix length/,
  },
  "an impossible IPv4 prefix": {
    bad: bad({ ip_addresses: ["10.1.0.1/33"] }),
    state: "INVALID",
    says: /^ip_addresses\[0\]: is "10.1.0.1\/33"/,
  },
  "an impossible IPv6 prefix": {
    bad: bad({ ip_addresses: ["fd00::1/129"] }),
    state: "INVALID",
    says: /^ip_addresses\[0\]: is "fd00::1\/129"/,
  },
  "a peer that names itself": {
    bad: wantInterface({ name: "bad", type: "VETH", veth: { peer_if_name: "bad" } }),
    state: "INVALID",
    says: /^veth.peer_if_name: is "bad", the interface itself/,
  },
  "a bridge in itself": {
    bad: bad({ bridge: { ports: [{ interface: "bad" }] } }),
    state: "INVALID",
    says: /^bridge.ports\[0\].interface: is "bad", the interface itself/,
  },
  "a VLAN without a number": {
    bad: wantInterface({ name: "bad", type: "VLAN", vlan: { lower_interface: "near", id: 0 } }),
    state: "INVALID",
    says: /^vlan.id: is 0, expected 1 to 4094/,
  },
  "a VLAN number that is too large": {
    bad: wantInterface({ name: "bad", type: "VLAN", vlan: { lower_interface: "near", id: 4095 } }),
    state: "INVALID",
    says: /^vlan.id: is 4095, expected 1 to 4094/,
  },
  "another's host name in the same namespace": {
    before: [wantInterface({ name: "first", type: "BRIDGE", host_if_name: "same", bridge: {} })],
    bad: bad({ host_if_name: "same" }),
    state: "FAILED",
    says: /interface\/bad: host_if_name: cannot make bad: the host name same is taken in .* by interface first/,
  },
  "a gateway outside every subnet": {
    bad: wantRoute({ dst_network: "10.9.0.0/16", outgoing_interface: "near", gw_addr: "192.0.2.1" }),
    state: "PENDING",
    says: /^gateway 192.0.2.1 to be reachable through interface near$/,
  },
  "a process that is gone": {
    bad: bad({ namespace: { type: "PID", reference: "4000000" } }),
    state: "PENDING",
    says: /^process 4000000$/,
  },
  "a process id that is none": {
    bad: bad({ namespace: { type: "PID", reference: "init" } }),
    state: "INVALID",
    says: /^namespace.reference: is "init"/,
  },
  "a lower interface that takes nothing upon it any more": {
    before: [wantInterface({ ...macvlan("first"), macvlan: { lower_interface: "near", mode: "PASSTHRU" } })],
    bad: wantInterface(macvlan("bad")),
    state: "FAILED",
    says: /^config\/linux\/interfaces\/v2\/interface\/bad: add link bad: E/,
  },
};

/** The rest of the transaction. */
const REST = [
  wantInterface({
    name: "near",
    type: "VETH",
    enabled: true,
    ip_addresses: ["10.77.0.1/24"],
    veth: { peer_if_name: "far" },
  }),
  wantInterface({ name: "far", type: "VETH", enabled: true, veth: { peer_if_name: "near" } }),
  wantRoute({ dst_network: "10.78.0.0/16", outgoing_interface: "near", gw_addr: "10.77.0.9" }),
];

async function hostNames(): Promise<readonly string[]> {
  return (await links()).map(({ ifname }) => ifname).sort();
}

for (const [
  what,
  {
    before = [],
    bad: [key, value],
    state,
    says,
  },
] of Object.entries(CASES)) {
  test.serial(`${what}: ${state}, and the rest of the transaction is made`, async (t) => {
    if (before.length > 0) await agent.commit(...REST, ...before);
    const record = await agent.commit([key, value], ...REST);
    const status = agent.status(key);
    t.is(status.state, state, JSON.stringify(states(record)));
    const said = status.error === "" ? status.details : [status.error];
    t.true(
      said.some((each) => says.test(each)),
      JSON.stringify(said),
    );
    for (const [other] of [...REST, ...before]) t.is(agent.status(other).state, "CONFIGURED", other);
    await agrees(t, agent);
  });

  test.serial(
    `${what}: ${state === "PENDING" ? "no reason to undo" : "nothing is left of"} an atomic transaction`,
    async (t) => {
      if (before.length > 0) await agent.commit(...REST, ...before);
      const [found, rest] = [await hostNames(), before.length > 0 ? [] : REST];
      const record = await agent.scheduler.commit({ changes: [[key, value], ...rest], atomic: true, retry: false });
      t.is(record.values.find((each) => each.key === key)?.state, state);
      if (state === "PENDING") {
        t.false(record.reverted);
        t.is(agent.status(interfaceKey("near")).state, "CONFIGURED");
        t.is(agent.status(routeKey("10.78.0.0/16", "near")).state, "CONFIGURED");
      } else {
        t.deepEqual(await hostNames(), found);
        t.is(agent.status(key).state, "NONEXISTENT");
      }
    },
  );
}

test.serial("a logical name may be as long as fits into the mark of its link, and no longer", async (t) => {
  const named = (name: string) => wantInterface({ name, type: "BRIDGE", host_if_name: "long", bridge: {} });
  const says = /at most (\d+) bytes/;
  const tooLong = agent.status((await agent.commit(named("n".repeat(300)))).values[0]?.key ?? "");
  const most = Number(says.exec(tooLong.details.join(" "))?.[1]);
  const record = await agent.commit(named("n".repeat(most)));
  t.is(record.error, "", JSON.stringify(states(record)));
  await agrees(t, agent);
  t.is((await agent.commit(named("n".repeat(most + 1)))).values[0]?.state, "INVALID");
});

test.serial("an IPv6 address on a link that is left with too small an MTU says so", async (t) => {
  const value = { name: "small", type: "BRIDGE", bridge: {} } as const;
  await agent.commit(wantInterface(value));
  await run(["ip", "link", "set", "dev", "small", "mtu", "1000"]);
  const withAddress = { ...value, ip_addresses: ["fd00:1000::1/64"] };
  await agent.commit(wantInterface(withAddress));
  const { derived } = agent.status(interfaceKey("small"));
  t.regex(derived.map(({ error }) => error).join(), /small has an MTU of 1000, and IPv6 needs at least 1280/);
  t.is((await agent.commit(wantInterface({ ...withAddress, mtu: 1280 }))).error, "");
});
