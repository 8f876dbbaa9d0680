/** What was right all along, on ground on which others have stumbled, and has to stay so. One agent for all; each case begins with nothing. */
import test, { type ExecutionContext } from "ava";
import { type Interface, interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, deleteNamespace, ip, link, links, run } from "#test/support/sandbox.js";
import {
  type Desired,
  NetworkAgent,
  operations,
  states,
  wantInterface,
  wantNeighbour,
  wantRoute,
  wantRouteWithoutInterface,
  wantRule,
} from "./support/network.js";

let agent: NetworkAgent;
test.before(async () => {
  agent = await NetworkAgent.start("right", {
    "interface-watcher": { settle_delay: "1ms" },
    "linux-namespaces": { check_interval: "50ms" },
  });
});
test.after.always(() => agent.close());

const pair = (name: string, change: Partial<Interface> = {}): readonly Desired[] => [
  wantInterface({ name, type: "VETH", enabled: true, veth: { peer_if_name: `${name}-far` }, ...change }),
  wantInterface({ name: `${name}-far`, type: "VETH", enabled: true, veth: { peer_if_name: name } }),
];
const changed = (value: Interface & { readonly name: string }): Desired =>
  wantInterface({ type: "VETH", enabled: true, ...value });
const inside = (reference: string) => ({ namespace: { type: "NSID", reference } }) as const;
const byOthers = (...command: readonly string[]) => run(["ip", ...command]);
const routes = (...selector: readonly string[]) => run(["ip", "route", "show", ...selector]);
const index = async (name: string) => (await link(name))?.ifindex;

interface Case {
  readonly values: readonly Desired[];
  /** What happens then, and what has to be so. */
  readonly tell: (t: ExecutionContext, values: readonly Desired[]) => Promise<void>;
}

/** All of them are there, and a resync has nothing to do. */
async function areThere(t: ExecutionContext, values: readonly Desired[], when = ""): Promise<void> {
  await eventually(() => values.every(([key]) => agent.status(key).state === "CONFIGURED"), {
    what: `${when} ${values.map(([key]) => `${key} ${agent.status(key).state} ${agent.status(key).error}`).join("\n")}`,
    timeout: 60_000,
  });
  t.deepEqual(operations(await agent.scheduler.resyncDownstream()), [], when);
}

async function apply(t: ExecutionContext, ...values: readonly Desired[]): Promise<void> {
  const record = await agent.commit(...values);
  t.is(record.error, "", JSON.stringify(states(record)));
}

/** Somebody plugs in a pair. */
async function plugIn(): Promise<void> {
  await byOthers("link", "add", "plug", "type", "veth", "peer", "name", "plug-far");
  await byOthers("link", "set", "plug-far", "up");
}

const CASES: Readonly<Record<string, Case>> = {
  "the first address of a network is taken out: the second, and what rests on the network, stay": {
    values: [
      ...pair("lan", { ip_addresses: ["192.0.2.1/24", "192.0.2.2/24"] }),
      wantRoute({ outgoing_interface: "lan", dst_network: "0.0.0.0/0", gw_addr: "192.0.2.254" }),
      wantRoute({
        outgoing_interface: "lan",
        dst_network: "10.8.0.0/16",
        gw_addr: "192.0.2.253",
        preferred_source: "192.0.2.2",
      }),
      wantNeighbour({ interface: "lan", ip_address: "192.0.2.254", hw_address: "02:00:00:00:00:fe" }),
    ],
    async tell(t, values) {
      await apply(t, changed({ name: "lan", ip_addresses: ["192.0.2.2/24"], veth: { peer_if_name: "lan-far" } }));
      await areThere(t, values);
      t.deepEqual(addressesOf((await link("lan"))!), ["192.0.2.2/24"]);
      t.regex(await routes("10.8.0.0/16"), /via 192\.0\.2\.253 dev lan .*src 192\.0\.2\.2/);
    },
  },
  "a lower link is unplugged and another one plugged in: what stood on it comes back, in a namespace too": {
    values: [
      wantInterface({ name: "plug", type: "EXISTING", enabled: true, mtu: 1400 }),
      wantInterface({
        name: "on-plug",
        type: "MACVLAN",
        enabled: true,
        ip_addresses: ["10.7.0.1/24", "fd07::1/64"],
        macvlan: { lower_interface: "plug", mode: "BRIDGE" },
      }),
      wantInterface({
        name: "guest",
        type: "MACVLAN",
        enabled: true,
        ...inside("guests"),
        host_if_name: "eth0",
        ip_addresses: ["10.78.0.1/24"],
        macvlan: { lower_interface: "plug", mode: "BRIDGE" },
      }),
      wantInterface({
        name: "tunnel",
        type: "VXLAN",
        enabled: true,
        ip_addresses: ["10.50.0.1/24"],
        vxlan: { vni: 42, remote: "239.1.1.1", underlay_interface: "on-plug" },
      }),
      wantRoute({ outgoing_interface: "on-plug", dst_network: "0.0.0.0/0", gw_addr: "10.7.0.254" }),
      wantRoute({ outgoing_interface: "guest", dst_network: "0.0.0.0/0", gw_addr: "10.78.0.254" }),
    ],
    async tell(t, values) {
      for (let time = 0; time < 2; time++) {
        await plugIn();
        await areThere(t, values);
        t.is((await link("plug"))?.mtu, 1400);
        t.regex(await run(["ip", "route"], { namespace: "guests" }), /default via 10\.78\.0\.254 dev eth0/);
        await byOthers("link", "delete", "plug");
        await eventually(() => values.every(([key]) => agent.status(key).state === "PENDING"), { what: "all wait" });
        t.is((await links()).filter(({ ifalias }) => ifalias?.startsWith("tenuto:right:")).length, 0);
      }
    },
  },
  "a VXLAN gets another multicast group, or remote, in place": {
    values: [
      ...pair("ul", { ip_addresses: ["10.0.0.1/24"] }),
      vxlan({ vni: 42, remote: "239.1.1.1", underlay_interface: "ul" }),
    ],
    async tell(t, values) {
      const before = await index("vx");
      for (const remote of ["239.1.1.2", "10.0.0.2", "10.0.0.3", "239.1.1.1"]) {
        await apply(t, vxlan({ vni: 42, remote, underlay_interface: "ul" }));
        await areThere(t, values, remote);
        const { group, remote: single } = (await link("vx"))?.linkinfo?.info_data ?? {};
        t.is(group ?? single, remote);
      }
      t.is(await index("vx"), before);
    },
  },
  "a VXLAN has the MTU that its underlay leaves it, or the one that it was given": {
    values: [
      ...pair("ul", { mtu: 1400, ip_addresses: ["10.0.0.1/24", "fd00::1/64"] }),
      vxlan({ vni: 42, remote: "10.0.0.2", underlay_interface: "ul" }, { name: "vx4" }),
      vxlan({ vni: 43, remote: "fd00::2", underlay_interface: "ul" }, { name: "vx6" }),
      vxlan({ vni: 44, remote: "10.0.0.2", underlay_interface: "ul" }, { name: "vx", mtu: 1280 }),
    ],
    async tell(t, values) {
      const mtus = async () => Promise.all(["vx4", "vx6", "vx"].map(async (name) => (await link(name))?.mtu));
      t.deepEqual(await mtus(), [1350, 1330, 1280]);
      await apply(t, vxlan({ vni: 44, remote: "10.0.0.2", underlay_interface: "ul" }, { name: "vx", mtu: 1300 }));
      await areThere(t, values);
      t.is((await mtus())[2], 1300);
    },
  },
  "a MACVLAN changes its mode in place, and keeps its routes": {
    values: [
      ...pair("ul"),
      macvlan("BRIDGE"),
      wantRoute({ outgoing_interface: "mv", dst_network: "0.0.0.0/0", gw_addr: "10.9.0.254" }),
    ],
    async tell(t, values) {
      const before = await index("mv");
      for (const mode of ["PRIVATE", "VEPA", "BRIDGE"] as const) {
        await apply(t, macvlan(mode));
        await areThere(t, values, mode);
        t.is((await link("mv"))?.linkinfo?.info_data?.mode, mode.toLowerCase());
        t.regex(await routes("default"), /via 10\.9\.0\.254 dev mv/);
      }
      t.is(await index("mv"), before);
    },
  },
  "IPv6 that somebody has switched off on a link leaves IPv4 alone, and what is IPv6 says why it is not there": {
    values: [
      ...pair("wt", { ip_addresses: ["10.40.0.1/24", "fd40::1/64"] }),
      wantRoute({ outgoing_interface: "wt", dst_network: "10.41.0.0/16", gw_addr: "10.40.0.2" }),
      wantRoute({ outgoing_interface: "wt", dst_network: "fd41::/64", gw_addr: "fd40::2" }),
    ],
    async tell(t, values) {
      const [, , four, six] = values.map(([key]) => key);
      await run(["sysctl", "-qw", "net.ipv6.conf.wt.disable_ipv6=1"]);
      await agent.scheduler.resyncDownstream();
      await eventually(() => agent.status(six!).state === "PENDING", { what: "the IPv6 route waits" });
      t.is(agent.status(four!).state, "CONFIGURED");
      t.deepEqual(addressesOf((await link("wt"))!), ["10.40.0.1/24"]);
      const failed = agent.status(interfaceKey("wt")).derived.filter(({ error }) => error !== "");
      t.true(failed.length > 0 && failed.every(({ key, error }) => key.includes("fd40::1") && error !== ""));
      await run(["sysctl", "-qw", "net.ipv6.conf.wt.disable_ipv6=0"]);
      await agent.scheduler.resyncDownstream();
      await areThere(t, values);
    },
  },
  "two links in one network, one of them set down and up by somebody: each has its own routes again": {
    values: [
      ...pair("one", { ip_addresses: ["192.168.1.1/24", "fd11::1/64"] }),
      ...pair("two", { ip_addresses: ["192.168.1.2/24", "fd11::2/64"] }),
      wantRoute({ outgoing_interface: "two", dst_network: "198.51.100.5/32", gw_addr: "192.168.1.254" }),
      wantRoute({ outgoing_interface: "two", dst_network: "fd55::/48", gw_addr: "fd11::fe" }),
      wantNeighbour({ interface: "two", ip_address: "192.168.1.254", hw_address: "02:00:00:00:05:fe" }),
    ],
    async tell(t, values) {
      await byOthers("link", "set", "two", "down");
      await byOthers("link", "set", "two", "up");
      await eventually(async () => (await routes("198.51.100.5")).includes("dev two"), { what: "the route is back" });
      await eventually(async () => (await run(["ip", "-6", "route", "show", "fd55::/48"])).includes("dev two"));
      await areThere(t, values);
      t.deepEqual(addressesOf((await link("two"))!), ["192.168.1.2/24", "fd11::2/64"]);
    },
  },
  "a namespace that goes with all that is in it is made again, with links, routes and rules": {
    values: [
      ...pair("out", { ip_addresses: ["10.70.0.1/24", "fd70::1/64"], veth: { peer_if_name: "in" } }).slice(0, 1),
      wantInterface({
        name: "in",
        type: "VETH",
        host_if_name: "eth0",
        enabled: true,
        ...inside("cust"),
        ip_addresses: ["10.70.0.2/24", "fd70::2/64"],
        veth: { peer_if_name: "out" },
      }),
      changed({ name: "lo-cust", type: "LOOPBACK", ...inside("cust"), ip_addresses: ["10.71.0.1/32"] }),
      wantRoute({ outgoing_interface: "in", dst_network: "0.0.0.0/0", gw_addr: "10.70.0.1" }),
      wantRoute({ outgoing_interface: "out", dst_network: "10.71.0.0/24", gw_addr: "10.70.0.2" }),
      wantRouteWithoutInterface({ type: "BLACKHOLE", dst_network: "10.0.0.0/8", ...inside("cust") }),
      wantRule({ priority: 50, src_network: "10.71.0.0/24", table: 71, ...inside("cust") }),
    ],
    async tell(t, values) {
      const seen = async () => [
        ...(await run(["ip", "route"], { namespace: "cust" })).matchAll(/^(default|blackhole 10\.0\.0\.0\/8)/gm),
        ...(await run(["ip", "rule"], { namespace: "cust" })).matchAll(/^50:/gm),
      ];
      const before = await run(["stat", "-Lc", "%i", "/run/netns/cust"]);
      await deleteNamespace("cust");
      await eventually(async () => (await run(["stat", "-Lc", "%i", "/run/netns/cust"])) !== before);
      await eventually(async () => (await seen()).length === 3, { what: "all is in it again" });
      await areThere(t, values);
    },
  },
  "an address that somebody else has put there and that is asked for is taken as it is": {
    values: [changed({ name: "theirs", type: "EXISTING", host_if_name: "plug", ip_addresses: ["10.8.0.5/24"] })],
    async tell(t, values) {
      await plugIn();
      await byOthers("address", "replace", "10.8.0.5/24", "dev", "plug");
      await byOthers("link", "set", "plug", "up");
      await areThere(t, values);
      t.deepEqual(addressesOf((await link("plug"))!), ["10.8.0.5/24"]);
      await byOthers("link", "delete", "plug");
    },
  },
  "names may have slashes, spaces, letters of any script; a host name may begin with a dash or be a number": {
    values: [
      changed({
        name: "uplink/0/1",
        host_if_name: "eth0.100",
        ip_addresses: ["10.0.0.1/24"],
        veth: { peer_if_name: "a b" },
      }),
      changed({ name: "a b", host_if_name: "abcdefghijklmno", veth: { peer_if_name: "uplink/0/1" } }),
      ...["br@1", "мост", "-x", "10.0.9.9", "a;vrf=b"].map((name, each) =>
        wantInterface({ name, type: "BRIDGE", enabled: true, ip_addresses: [`10.0.${each + 1}.1/24`] }),
      ),
      ...["uplink/0/1", "br@1", "мост", "-x", "10.0.9.9", "a;vrf=b"].map((name, each) =>
        wantRoute({ outgoing_interface: name, dst_network: `10.${each + 9}.0.0/16`, gw_addr: `10.0.${each}.2` }),
      ),
      wantNeighbour({ interface: "uplink/0/1", ip_address: "10.0.0.2", hw_address: "02:00:00:00:00:02" }),
    ],
    async tell(t) {
      t.is((await ip("route", "show", "proto", "199")).length, 6);
    },
  },
};

function vxlan(part: NonNullable<Interface["vxlan"]>, more: Partial<Interface> = {}): Desired {
  return wantInterface({ name: "vx", type: "VXLAN", enabled: true, ...more, vxlan: part });
}

function macvlan(mode: "BRIDGE" | "PRIVATE" | "VEPA"): Desired {
  return wantInterface({
    name: "mv",
    type: "MACVLAN",
    enabled: true,
    ip_addresses: ["10.9.0.1/24", "fd09::1/64"],
    macvlan: { lower_interface: "ul", mode },
  });
}

for (const [title, { values, tell }] of Object.entries(CASES)) {
  test.serial(title, async (t) => {
    const before = (await links()).length;
    const record = await agent.commit(...values.toReversed());
    t.is(record.error, "", JSON.stringify(states(record)));
    if (!values.some(([, value]) => (value as Interface).type === "EXISTING")) await areThere(t, values);
    await tell(t, values);
    await agent.resync();
    t.is((await links()).length, before);
    t.is((await ip("route", "show", "table", "all", "proto", "199")).length, 0);
  });
}
