/** What was right all along on tricky ground, of types that not every kernel has: all together, each case in a namespace of its own. */
import test, { type ExecutionContext } from "ava";
import type { Interface } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, ip, link, namespaces, run } from "#test/support/sandbox.js";
import {
  type Desired,
  dropInterface,
  NetworkAgent,
  operations,
  states,
  wantInterface,
  wantNeighbour,
  wantRoute,
} from "./support/network.js";

let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("right");
});
test.after.always(() => agent.close());

interface Case {
  readonly values: readonly Desired[];
  readonly next?: readonly Desired[];
  /** `seen` after the first and after the next step. */
  readonly check: (t: ExecutionContext, step: "first" | "next", what: string) => Promise<void>;
}

type Part = Omit<Interface, "namespace">;

/** Makes the interfaces of a case: their names begin with that of its namespace. */
const within = (reference: string) => {
  const namespace = { type: "NSID", reference } as const;
  return (name: string, type: NonNullable<Interface["type"]>, part: Part = {}): Desired =>
    wantInterface({ enabled: true, ...part, name: `${reference}-${name}`, host_if_name: name, type, namespace });
};
const linkIn = (namespace: string, name: string) => link(name, { namespace });
const dataIn = async (namespace: string, name: string) => (await linkIn(namespace, name))?.linkinfo?.info_data;
const runIn = (namespace: string, ...command: readonly string[]) => run(command, { namespace });

/** VLANs of a port, as `bridge vlan` tells them: `100 pvid untagged`. */
async function vlansOf(namespace: string, port: string): Promise<readonly string[]> {
  const text = await runIn(namespace, "bridge", "-json", "-compressvlans", "vlan", "show", "dev", port);
  const [view] = JSON.parse(text) as readonly {
    readonly vlans: readonly { readonly vlan: number; readonly vlanEnd?: number; readonly flags?: readonly string[] }[];
  }[];
  return (view?.vlans ?? []).map(({ vlan, vlanEnd, flags = [] }) =>
    [vlanEnd === undefined ? `${vlan}` : `${vlan}-${vlanEnd}`, ...flags.map((flag) => (flag === "PVID" ? "pvid" : ""))]
      .filter(Boolean)
      .join(" "),
  );
}

const pvid = within("pvid");
const trunk = within("trunk");
const mtu = within("mtu");
const qinq = within("qinq");
const stack = within("stack");
const gre = within("gre");
const mac = within("mac");
const bond = within("bond");
const loose = within("loose");

const plainPorts = { ports: [{ interface: "pvid-p1" }, { interface: "pvid-p2" }] };
const bonded = (ports: readonly string[]): Desired =>
  bond("bond0", "BOND", {
    ip_addresses: ["10.4.0.1/24", "fd04::1/64"],
    bond: { mode: "ACTIVE_BACKUP", miimon: 100, ports: ports.map((each) => `bond-${each}`) },
  });

const CASES: Readonly<Record<string, Case>> = {
  "a bridge with another default VLAN, some of whose ports choose their own; then one without VLANs": {
    values: [
      pvid("br0", "BRIDGE", {
        bridge: {
          vlan_filtering: true,
          vlan_default_pvid: 1000,
          ports: [
            { interface: "pvid-p1", pvid: 100, vlans: [{ first: 101 }, { first: 500, last: 599 }] },
            { interface: "pvid-p2", vlans: [{ first: 500 }] },
          ],
        },
      }),
      pvid("p1", "DUMMY"),
      pvid("p2", "DUMMY"),
    ],
    next: [pvid("br0", "BRIDGE", { bridge: { vlan_filtering: true, ...plainPorts } })],
    async check(t, step, what) {
      const found = [await vlansOf("pvid", "p1"), await vlansOf("pvid", "p2")];
      if (step === "next") t.deepEqual(found, [["1 pvid"], ["1 pvid"]], what);
      else
        t.is(
          found[0]?.find((each) => each.includes("pvid")),
          "100 pvid",
          what,
        );
    },
  },
  "ports with every VLAN there is": {
    values: [
      trunk("br1", "BRIDGE", {
        bridge: {
          vlan_filtering: true,
          vlan_default_pvid: 1,
          ports: [
            { interface: "trunk-eth1", vlans: [{ first: 2, last: 4094 }] },
            { interface: "trunk-eth2", pvid: 100, vlans: [{ first: 1, last: 4094 }] },
          ],
        },
      }),
      trunk("eth1", "DUMMY"),
      trunk("eth2", "DUMMY"),
    ],
    async check(t, _step, what) {
      t.regex((await vlansOf("trunk", "eth2")).join(), /^1-99,100 pvid,101-4094$/, what);
    },
  },
  "a VLAN has the MTU of what it stands on, on two floors; all grow and shrink together": {
    values: floors(9000),
    next: floors(1400),
    async check(t, step, what) {
      const names = ["eth0", "eth0.20", "qq", "mv"];
      const found = await Promise.all(names.map(async (name) => (await linkIn("mtu", name))?.mtu));
      t.deepEqual(new Set(found), new Set([step === "first" ? 9000 : 1400]), what);
      t.regex(await runIn("mtu", "ip", "route", "show", "10.99.0.0/16"), /via 10\.20\.0\.254 dev eth0\.20/, what);
    },
  },
  "a VLAN in a VLAN, with priorities in both directions": {
    values: [
      qinq("eth0", "DUMMY"),
      qinq("s", "VLAN", { vlan: { lower_interface: "qinq-eth0", id: 100, protocol: "DOT1AD" } }),
      qinq("c", "VLAN", {
        ip_addresses: ["10.5.0.1/24"],
        vlan: { lower_interface: "qinq-s", id: 200, egress_qos: { 0: 3, 6: 6 }, ingress_qos: { 3: 1 } },
      }),
    ],
    next: [
      qinq("c", "VLAN", {
        ip_addresses: ["10.5.0.1/24"],
        vlan: { lower_interface: "qinq-s", id: 200, egress_qos: { 6: 5 } },
      }),
    ],
    async check(t, step, what) {
      t.like(await dataIn("qinq", "s"), { protocol: "802.1ad", id: 100 }, what);
      const { egress_qos: egress = [], ingress_qos: ingress = [] } = (await dataIn("qinq", "c")) ?? {};
      const pairs = (list: unknown) =>
        (list as readonly { from: number; to: number }[]).map(({ from, to }) => [from, to]);
      if (step === "first")
        t.deepEqual(
          [pairs(egress), pairs(ingress)],
          [
            [
              [0, 3],
              [6, 6],
            ],
            [[3, 1]],
          ],
          what,
        );
      else
        t.deepEqual(
          pairs(egress).filter(([, to]) => to !== 0),
          [[6, 5]],
          what,
        );
    },
  },
  "a bond, a VLAN on it, and a bridge of that, each with an MTU and all at once": {
    values: [
      stack("br", "BRIDGE", {
        mtu: 9000,
        ip_addresses: ["10.13.0.1/24"],
        bridge: { ports: [{ interface: "stack-v" }] },
      }),
      stack("v", "VLAN", { mtu: 9000, vlan: { lower_interface: "stack-b", id: 302 } }),
      stack("b", "BOND", {
        mtu: 9000,
        phys_address: "02:aa:00:00:00:01",
        bond: {
          mode: "ACTIVE_BACKUP",
          miimon: 100,
          up_delay: 200,
          primary: "stack-s2",
          ports: ["stack-s1", "stack-s2"],
        },
      }),
      stack("s1", "DUMMY"),
      stack("s2", "DUMMY"),
      wantRoute({ outgoing_interface: "stack-br", dst_network: "0.0.0.0/0", gw_addr: "10.13.0.254" }),
    ],
    async check(t, _step, what) {
      for (const name of ["br", "v", "b"]) t.is((await linkIn("stack", name))?.mtu, 9000, what);
      t.like(await linkIn("stack", "v"), { master: "br", address: "02:aa:00:00:00:01" }, what);
      t.like(await dataIn("stack", "b"), { primary: "s2" }, what);
    },
  },
  "GRE tunnels between the same ends that only their keys, or kinds, tell apart": {
    values: [
      gre("ul", "DUMMY", { ip_addresses: ["10.0.0.1/24", "fd00::1/64"] }),
      tunnel("g0", {}),
      tunnel("g2", { input_key: 33_490_175, output_key: 33_490_175, ttl: 255, underlay_interface: "gre-ul" }),
      tunnel("g3", { mode: "TAP", input_key: 1, output_key: 2, sequence: true, checksum: true }),
      tunnel("g6", { local: "fd00::1", remote: "fd00::2", input_key: 7, output_key: 7 }),
      tunnel("g7", { local: "fd00::1", remote: "fd00::2" }),
    ],
    next: [tunnel("g2", { input_key: 5, output_key: 6, ttl: 255, underlay_interface: "gre-ul" })],
    async check(t, step, what) {
      t.like(await dataIn("gre", "g2"), { ikey: step === "first" ? "1.255.4.255" : "0.0.0.5" }, what);
      t.is(
        (await ip("link", "show", { namespace: "gre" })).filter(({ ifname }) => /^g\d$/.test(String(ifname))).length,
        5,
      );
    },
  },
  "the lower link of VLANs gets another MAC address: they follow, and keep routes and neighbours": {
    values: [
      mac("ul", "DUMMY", { phys_address: "02:00:00:00:00:01" }),
      mac("v9", "VLAN", { ip_addresses: ["10.9.0.1/24", "fd09::1/64"], vlan: { lower_interface: "mac-ul", id: 9 } }),
      wantRoute({ outgoing_interface: "mac-v9", dst_network: "10.99.0.0/16", gw_addr: "10.9.0.2" }),
      wantRoute({ outgoing_interface: "mac-v9", dst_network: "fd99::/48", gw_addr: "fd09::2" }),
      wantNeighbour({ interface: "mac-v9", ip_address: "10.9.0.2", hw_address: "02:00:00:00:00:92" }),
    ],
    next: [mac("ul", "DUMMY", { phys_address: "02:00:00:00:00:0f" })],
    async check(t, step, what) {
      const last = step === "first" ? "01" : "0f";
      t.is((await linkIn("mac", "v9"))?.address, `02:00:00:00:00:${last}`, what);
      t.regex(await runIn("mac", "ip", "neigh", "show", "nud", "permanent"), /10\.9\.0\.2 dev v9/, what);
      t.regex(await runIn("mac", "ip", "-6", "route", "show", "fd99::/48"), /via fd09::2 dev v9/, what);
    },
  },
  "the port of a bond that came first leaves it: the bond keeps its addresses and neighbours": {
    values: [
      bonded(["s1", "s2"]),
      bond("s1", "DUMMY", { phys_address: "02:00:00:00:01:01" }),
      bond("s2", "DUMMY", { phys_address: "02:00:00:00:01:02" }),
      wantNeighbour({ interface: "bond-bond0", ip_address: "10.4.0.2", hw_address: "02:00:00:00:00:42" }),
    ],
    next: [bonded(["s2"]), dropInterface("bond-s1")],
    async check(t, _step, what) {
      const view = await linkIn("bond", "bond0");
      t.deepEqual(view && addressesOf(view), ["10.4.0.1/24", "fd04::1/64"], what);
      t.regex(await runIn("bond", "ip", "neigh", "show", "nud", "permanent"), /10\.4\.0\.2 dev bond0/, what);
    },
  },
  "the lower link goes down: a VLAN that is loosely bound stays up with its routes, another one waits": {
    values: [loose("ul", "DUMMY"), ...bindings(), ...looseRoutes()],
    next: [loose("ul", "DUMMY", { enabled: false })],
    async check(t, step, what) {
      t.regex(await runIn("loose", "ip", "route", "show", "10.99.0.0/16"), /dev vl/, what);
      t.is((await runIn("loose", "ip", "route", "show", "10.97.0.0/16")) !== "", step === "first", what);
    },
  },
};

function floors(size: number): readonly Desired[] {
  return [
    mtu("eth0", "DUMMY", { mtu: size }),
    mtu("eth0.20", "VLAN", {
      mtu: size,
      ip_addresses: ["10.20.0.1/24"],
      vlan: { lower_interface: "mtu-eth0", id: 20 },
    }),
    mtu("qq", "VLAN", { mtu: size, vlan: { lower_interface: "mtu-eth0.20", id: 30 } }),
    mtu("mv", "MACVLAN", { mtu: size, macvlan: { lower_interface: "mtu-eth0", mode: "BRIDGE" } }),
    wantRoute({ outgoing_interface: "mtu-eth0.20", dst_network: "10.99.0.0/16", gw_addr: "10.20.0.254" }),
  ];
}

function tunnel(name: string, part: NonNullable<Interface["gre"]>): Desired {
  return gre(name, "GRE", { gre: { local: "10.0.0.1", remote: "10.0.0.2", ...part } });
}

function bindings(): readonly Desired[] {
  const on = { lower_interface: "loose-ul" };
  return [
    loose("vl", "VLAN", { ip_addresses: ["10.9.0.1/24"], vlan: { ...on, id: 9, loose_binding: true } }),
    loose("vt", "VLAN", { ip_addresses: ["10.7.0.1/24"], vlan: { ...on, id: 7 } }),
  ];
}

function looseRoutes(): readonly Desired[] {
  return [
    wantRoute({ outgoing_interface: "loose-vl", dst_network: "10.99.0.0/16", gw_addr: "10.9.0.2" }),
    wantRoute({ outgoing_interface: "loose-vt", dst_network: "10.97.0.0/16", gw_addr: "10.7.0.2" }),
  ];
}

test.serial("what others have stumbled on is made at once, changed at once, and gone at once", async (t) => {
  for (const step of ["first", "next"] as const) {
    const changes = Object.values(CASES).flatMap(({ values, next = [] }) => (step === "first" ? values : next));
    const record = await agent.commit(...changes.toReversed());
    t.is(record.error, "", JSON.stringify(states(record)));
    // The kernel drops the neighbours of a VLAN with its MAC address; they are put back when it has told so.
    const isSettled = async () => operations(await agent.scheduler.resyncDownstream()).length === 0;
    await eventually(isSettled, { what: `${step}: nothing to do` });
    t.true(await isSettled(), step);
    for (const [what, { check }] of Object.entries(CASES)) await check(t, step, `${step}: ${what}`);
  }
  await agent.resync();
  await eventually(async () => (await namespaces()).length === 0, { what: "nothing is left" });
});
