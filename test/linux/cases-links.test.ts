/**
 * What people who configure links ran into, by the public report that tells of it. Each story begins with nothing and says what is right.
 */
import test, { type ExecutionContext } from "ava";
import { type Interface, interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, ip, link, links, run } from "#test/support/sandbox.js";
import {
  dropInterface,
  NetworkAgent,
  operations,
  states,
  wantInterface,
  wantNeighbour,
  wantRoute,
} from "./support/network.js";
import { TapProgram } from "./support/tap-program.js";
import { agrees } from "./support/witness.js";

type Named = Interface & { readonly name: string };

interface Story {
  readonly tell: (t: ExecutionContext) => Promise<void>;
}

let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("cases", { "interface-watcher": { settle_delay: "1ms" } });
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

/** Commits interfaces; all of them come about. */
async function apply(t: ExecutionContext, ...values: readonly Named[]): Promise<void> {
  const record = await agent.commit(...values.map(wantInterface));
  t.is(record.error, "", JSON.stringify(states(record)));
}

/** Reading it anew finds nothing to do, and iproute2 sees what the agent does. */
async function isSettled(t: ExecutionContext): Promise<void> {
  t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
  await agrees(t, agent);
}

const stateOf = (name: string) => agent.status(interfaceKey(name)).state;
const errorOf = (name: string) => agent.status(interfaceKey(name)).error;
const byOthers = (...command: readonly string[]) => run(["ip", ...command]);
const pair = (name: string, more: Partial<Interface> = {}): readonly Named[] => [
  { name, type: "VETH", enabled: true, veth: { peer_if_name: `${name}-far` }, ...more },
  { name: `${name}-far`, type: "VETH", enabled: true, veth: { peer_if_name: name } },
];
const tap = (name: string, hostName: string, more: Partial<Interface> = {}): Named => ({
  name,
  type: "TAP",
  host_if_name: hostName,
  enabled: true,
  tuntap: {},
  ...more,
});

const STORIES: Readonly<Record<string, Story>> = {
  "TAPs that programs have open swap their names, and the programs keep them (systemd#42527)": {
    async tell(t) {
      const names = ["tap0", "tap1", "tap2"];
      const taps = (order: readonly string[]) =>
        order.map((hostName, each) => tap(`vm${each}`, hostName, { ip_addresses: [`10.6${each}.0.1/24`] }));
      await apply(t, ...taps(names));
      const programs = names.map((name) => new TapProgram(name));
      t.teardown(() => {
        for (const each of programs) each.close();
      });
      const before = await Promise.all(names.map((name) => link(name)));
      for (const order of [
        ["tap1", "tap0", "tap2"],
        ["tap2", "tap1", "tap0"],
        ["tap1", "tap2", "tap0"],
      ]) {
        const record = await agent.commit(...taps(order).map(wantInterface));
        t.is(record.error, "");
        t.deepEqual(new Set(record.executed.map(({ operation }) => operation)), new Set(["UPDATE"]));
        for (const [each, hostName] of order.entries()) {
          const { ifindex, address } = before[each]!;
          t.like(await link(hostName), { ifindex, address, ifalias: `tenuto:cases:vm${each}` });
        }
        for (const program of programs) t.notThrows(() => program.send());
        await isSettled(t);
      }
    },
  },
  "links swap names, and routes, lower links and neighbours stay with them (systemd#42527)": {
    async tell(t) {
      const [wan, wanFar] = pair("wan", { host_if_name: "enp0", ip_addresses: ["192.0.2.1/24", "2001:db8:1::1/64"] });
      const [lan, lanFar] = pair("lan", { host_if_name: "enp1", ip_addresses: ["198.51.100.1/24"] });
      const macvlan: Named = {
        name: "mv",
        type: "MACVLAN",
        enabled: true,
        ip_addresses: ["10.10.10.1/24"],
        macvlan: { lower_interface: "wan", mode: "BRIDGE" },
      };
      const rest = [
        wantRoute({ outgoing_interface: "wan", dst_network: "0.0.0.0/0", gw_addr: "192.0.2.254" }),
        wantRoute({ outgoing_interface: "wan", dst_network: "::/0", gw_addr: "2001:db8:1::fe" }),
        wantNeighbour({ interface: "lan", ip_address: "198.51.100.9", hw_address: "02:00:00:00:00:09" }),
      ];
      const all = [wan!, wanFar!, lan!, lanFar!, macvlan].map(wantInterface);
      t.is((await agent.commit(...all, ...rest)).error, "");
      const before = (await link("enp0"))?.ifindex;
      const record = await agent.commit(
        wantInterface({ ...wan!, host_if_name: "enp1" }),
        wantInterface({ ...lan!, host_if_name: "enp0" }),
      );
      t.is(record.error, "");
      t.is((await link("enp1"))?.ifindex, before);
      t.is((await link("mv"))?.link, "enp1");
      t.regex(await run(["ip", "route"]), /default via 192\.0\.2\.254 dev enp1/);
      t.regex(await run(["ip", "-6", "route"]), /default via 2001:db8:1::fe dev enp1/);
      t.regex(await run(["ip", "neigh", "show", "nud", "permanent"]), /198\.51\.100\.9 dev enp0/);
      await isSettled(t);
    },
  },
  "a link takes the name of one that goes in the same transaction, whoever comes first": {
    async tell(t) {
      await apply(t, tap("old", "tap0"), tap("a-new", "tap1"));
      const record = await agent.commit(
        dropInterface("old"),
        wantInterface(tap("a-new", "tap0")),
        wantInterface(tap("z", "tap1")),
      );
      t.is(record.error, "");
      t.is((await link("tap0"))?.ifalias, "tenuto:cases:a-new");
      t.is((await link("tap1"))?.ifalias, "tenuto:cases:z");
      await isSettled(t);
    },
  },
  "an alternative name given to a link that is down is found by the next resync (lxc#4646)": {
    async tell(t) {
      await byOthers("link", "add", "fz", "type", "bridge");
      t.teardown(() => byOthers("link", "delete", "fz"));
      const value: Named = {
        name: "ex",
        type: "EXISTING",
        host_if_name: "altex",
        enabled: true,
        ip_addresses: ["10.44.0.1/24"],
      };
      t.is((await agent.commit(wantInterface(value))).error, "");
      t.is(stateOf("ex"), "PENDING");
      await byOthers("link", "property", "add", "dev", "fz", "altname", "altex");
      await agent.scheduler.resyncDownstream();
      await eventually(() => stateOf("ex") === "CONFIGURED");
      t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
      t.deepEqual(addressesOf((await link("fz"))!), ["10.44.0.1/24"]);
    },
  },
  "a value that waits, though its link is there, has nothing deleted by resyncs": {
    async tell(t) {
      await byOthers("link", "add", "fz", "type", "bridge");
      t.teardown(() => byOthers("link", "delete", "fz"));
      const value: Named = {
        name: "ex",
        type: "EXISTING",
        host_if_name: "fz",
        enabled: true,
        link_only: true,
        ip_addresses: ["10.44.0.1/24"],
      };
      await agent.commit(wantInterface(value));
      t.is(stateOf("ex"), "PENDING");
      for (let time = 0; time < 2; time++) t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
      t.is(stateOf("ex"), "PENDING");
    },
  },
  "of two values that mean one link the later fails and says whose it is, in any order": {
    async tell(t) {
      await byOthers("link", "add", "fz", "type", "bridge");
      await byOthers("link", "property", "add", "dev", "fz", "altname", "alt");
      t.teardown(() => byOthers("link", "delete", "fz"));
      const value = (name: string, hostName: string): Named => ({
        name,
        type: "EXISTING",
        host_if_name: hostName,
        enabled: true,
      });
      const lo = (name: string, address: string): Named => ({
        name,
        type: "LOOPBACK",
        enabled: true,
        ip_addresses: [address],
      });
      // The kernel tells nobody of the names of a link that is down.
      await agent.scheduler.resyncDownstream();
      const orders = [
        [value("a", "fz"), value("b", "alt")],
        [value("a", "alt"), value("b", "fz")],
        [lo("a", "10.0.0.1/32"), lo("b", "10.0.0.2/32")],
      ];
      for (const [one, two] of orders.flatMap((order) => [order, order.toReversed()])) {
        await apply(t, one!);
        await agent.commit(wantInterface(two!));
        await eventually(() => /FAILED|RETRYING/.test(stateOf(two!.name)));
        t.regex(errorOf(two!.name), new RegExp(`is that of interface ${one!.name}`));
        await agent.scheduler.resyncDownstream();
        t.is(stateOf(one!.name), "CONFIGURED");
        t.not(stateOf(two!.name), "CONFIGURED");
        const record = await agent.resync(wantInterface(one!), wantInterface(two!));
        t.is(operations(record).filter((each) => each.includes(interfaceKey(one!.name))).length, 0);
        t.is((await agent.commit(dropInterface(one!.name), wantInterface(two!))).error, "");
        t.is(stateOf(two!.name), "CONFIGURED");
        await agent.resync();
      }
    },
  },
  "a link of the agent's own is no other value's": {
    async tell(t) {
      await apply(t, tap("mine", "tap0"));
      await agent.commit(wantInterface({ name: "other", type: "EXISTING", host_if_name: "tap0" }));
      await eventually(() => stateOf("other") === "FAILED");
      t.regex(errorOf("other"), /tap0 is that of interface mine/);
      t.is(stateOf("mine"), "CONFIGURED");
    },
  },
  "an alias that somebody has overwritten is put back on the link, which stays": {
    async tell(t) {
      await apply(t, ...pair("va"));
      const before = await link("va");
      await byOthers("link", "property", "add", "dev", "va", "altname", "theirs");
      await byOthers("link", "set", "dev", "va", "alias", "mine");
      await eventually(async () => (await link("va"))?.ifalias === "tenuto:cases:va");
      t.like(await link("va"), { ifindex: before!.ifindex, address: before!.address, altnames: ["theirs"] });
      await isSettled(t);
    },
  },
  "what is taken out of a MACVLAN and of a port is as if it had never been there (ifupdown2#15)": {
    async tell(t) {
      const base = pair("ul");
      const all = (sources: readonly string[], port: object): readonly Named[] => [
        ...base,
        {
          name: "mv",
          type: "MACVLAN",
          macvlan: { lower_interface: "ul", mode: "SOURCE", source_addresses: [...sources] },
        },
        { name: "br0", type: "BRIDGE", enabled: true, bridge: { ports: [{ interface: "p1", ...port }] } },
        tap("p1", "p1"),
      ];
      await apply(
        t,
        ...all(["02:00:00:00:00:01", "02:00:00:00:00:02"], {
          path_cost: 77,
          priority: 5,
          hairpin: true,
          learning: false,
        }),
      );
      await apply(t, ...all([], {}));
      t.like(await link("mv"), { linkinfo: { info_data: { mode: "source", macaddr_count: 0 } } });
      const [port] = await ip<{ linkinfo: object }>("-details", "link", "show", "p1");
      t.like(port?.linkinfo, { info_slave_data: { cost: 2, priority: 32, hairpin: false, learning: true } });
      await isSettled(t);
    },
  },
  "VETH offloads: off is all that ethtool calls tx, and taken out they are as in a new pair": {
    async tell(t) {
      const [near, far] = pair("va");
      const off = {
        peer_if_name: "va-far",
        tx_checksum_offloading: "DISABLED",
        rx_checksum_offloading: "DISABLED",
      } as const;
      await apply(t, near!, far!);
      const index = (await link("va"))!.ifindex;
      const before = await agent.features(index);
      await apply(t, { ...near!, veth: off });
      t.deepEqual(
        [...(await agent.features(index))].filter((name) => /^(tx|rx)-checksum/.test(name)),
        [],
      );
      await apply(t, near!);
      t.deepEqual(await agent.features(index), before);
      await isSettled(t);
    },
  },
  "what others change with bridge and ethtool is noticed and put back": {
    async tell(t) {
      const [near, far] = pair("va");
      await apply(t, { ...near!, veth: { peer_if_name: "va-far", tx_checksum_offloading: "DISABLED" } }, far!, {
        name: "br0",
        type: "BRIDGE",
        enabled: true,
        bridge: { ports: [{ interface: "va", learning: false }] },
      });
      const index = (await link("va"))!.ifindex;
      const isLearning = async (): Promise<boolean> => {
        const [port] = await ip<{ linkinfo: { info_slave_data: { learning: boolean } } }>("-d", "link", "show", "va");
        return port!.linkinfo.info_slave_data.learning;
      };
      await run(["bridge", "link", "set", "dev", "va", "learning", "on"]);
      await eventually(async () => !(await isLearning()));
      await agent.setFeature(index, "tx-checksum-sctp", true);
      await eventually(async () => !(await agent.features(index)).has("tx-checksum-sctp"));
      await isSettled(t);
    },
  },
  "an address put in front of the list becomes the source, and what rests on the other stays (nmstate#3083)": {
    async tell(t) {
      const lists = [
        ["192.0.2.2/24"],
        ["192.0.2.77/24", "192.0.2.2/24"],
        ["192.0.2.2/24", "192.0.2.78/24", "192.0.2.77/24"],
        ["198.51.100.5/24", "192.0.2.77/24", "192.0.2.79/24", "192.0.2.2/24"],
        ["192.0.2.79/24", "192.0.2.2/24", "198.51.100.5/24"],
        ["192.0.2.2/24"],
      ];
      const route = wantRoute({ outgoing_interface: "nic", dst_network: "10.9.0.0/16", gw_addr: "192.0.2.254" });
      const neighbour = wantNeighbour({ interface: "nic", ip_address: "192.0.2.9", hw_address: "02:00:00:00:00:09" });
      const [near, far] = pair("nic");
      await agent.commit(wantInterface(near!), wantInterface(far!), route, neighbour);
      for (const ip_addresses of [...lists, ...lists.toReversed()]) {
        const record = await agent.commit(wantInterface({ ...near!, ip_addresses }));
        t.is(record.error, "", JSON.stringify(states(record)));
        const all = (await link("nic"))!.addr_info.filter(({ family }) => family === "inet");
        const firsts = all.filter((each) => !("secondary" in each)).map(({ local }) => `${local}/24`);
        const networks = ip_addresses.map((each) => each.slice(0, each.lastIndexOf(".")));
        t.deepEqual(
          firsts,
          ip_addresses.filter((_, each) => networks.indexOf(networks[each]!) === each),
        );
        t.deepEqual(
          all.map(({ local }) => `${local}/24`).filter((each) => !firsts.includes(each)),
          ip_addresses.filter((each) => !firsts.includes(each)),
        );
        t.regex(await run(["ip", "route", "show", "10.9.0.0/16"]), /via 192\.0\.2\.254/);
        t.regex(await run(["ip", "neigh", "show", "nud", "permanent"]), /192\.0\.2\.9 dev nic/);
        await isSettled(t);
      }
    },
  },
  "another's later address of the same network stays, with its routes, when ours goes": {
    async tell(t) {
      const value: Named = { name: "up", type: "EXISTING", host_if_name: "eth0", enabled: true };
      await byOthers("link", "add", "eth0", "type", "bridge");
      t.teardown(() => byOthers("link", "delete", "eth0"));
      await agent.commit(wantInterface({ ...value, ip_addresses: ["192.0.2.20/24"] }));
      await eventually(() => stateOf("up") === "CONFIGURED");
      await run(["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=0"]);
      await byOthers("address", "add", "192.0.2.10/24", "dev", "eth0", "label", "eth0:theirs");
      await byOthers("route", "add", "10.8.0.0/16", "via", "192.0.2.1", "src", "192.0.2.10");
      await agent.commit(dropInterface("up"));
      t.like(
        (await link("eth0"))!.addr_info.find(({ family }) => family === "inet"),
        {
          local: "192.0.2.10",
          label: "eth0:theirs",
        },
      );
      t.regex(await run(["ip", "route"]), /10\.8\.0\.0\/16 via 192\.0\.2\.1 dev eth0 src 192\.0\.2\.10/);
      t.regex(await run(["sysctl", "net.ipv4.conf.eth0.promote_secondaries"]), /= 0/);
    },
  },
  "settings of IPv4 and IPv6 of a link are as asked for, put back, and as in a new link when they are taken out": {
    async tell(t) {
      const read = async (path: string): Promise<string> => (await run(["sysctl", "-n", `net.${path}`])).trim();
      const files = [
        "ipv4.conf.va.forwarding",
        "ipv4.conf.va.rp_filter",
        "ipv4.conf.va.arp_ignore",
        "ipv4.conf.va.proxy_arp",
        "ipv6.conf.va.accept_ra",
        "ipv6.conf.va.addr_gen_mode",
        "ipv6.conf.va.disable_ipv6",
      ];
      const all = () => Promise.all(files.map(read));
      const [near, far] = pair("va");
      await apply(t, near!, far!);
      const before = await all();
      const ipv4 = { forwarding: true, rp_filter: 2, arp_ignore: 1, proxy_arp: true };
      await apply(t, { ...near!, ipv4, ipv6: { accept_ra: 2, addr_gen_mode: "NONE", token: "::5", disable: false } });
      t.deepEqual(await all(), ["1", "2", "1", "1", "2", "1", "0"]);
      t.regex(await run(["ip", "token", "get", "dev", "va"]), /token ::5/);
      t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
      // The second makes an event, after which both are read.
      await run(["sysctl", "-qw", "net.ipv4.conf.va.arp_ignore=0", "net.ipv4.conf.va.rp_filter=1"]);
      await eventually(async () => (await read("ipv4.conf.va.rp_filter")) === "2");
      t.is(await read("ipv4.conf.va.arp_ignore"), "1");
      await apply(t, { ...near!, host_if_name: "vx", ipv4: { forwarding: true }, ipv6: { disable: true } });
      t.is(await read("ipv4.conf.vx.arp_ignore"), before[2]!);
      t.is(await read("ipv6.conf.vx.disable_ipv6"), "1");
      await apply(t, near!);
      t.deepEqual(await all(), before);
      await isSettled(t);
    },
  },
  "addresses have another end, a label, a lifetime, and no route if so asked for (ifupdown-ng#96)": {
    async tell(t) {
      const value = tap("ppp9", "ppp9", { tuntap: { mode: "TUN" } });
      const lists = [
        ["10.0.0.1 peer 10.0.0.2/32"],
        ["10.0.0.1 peer 10.0.0.3/32", "192.0.2.1/24 label ppp9:a"],
        ["192.0.2.1/24 label ppp9:b", "198.51.100.1/24 noprefixroute", "fd00::1/64 preferred_lft 0"],
        ["192.0.2.1/24 valid_lft 3600 preferred_lft 1800", "fd00::1/64"],
        ["192.0.2.1/24"],
      ];
      const route = wantRoute({ outgoing_interface: "ppp9", dst_network: "10.9.0.0/16", gw_addr: "10.0.0.2" });
      interface Entry {
        readonly local: string;
        readonly address?: string;
        readonly label?: string;
        readonly noprefixroute?: boolean;
        readonly deprecated?: boolean;
        readonly valid_life_time: number;
      }
      const seen = async (): Promise<readonly string[]> =>
        ((await link("ppp9"))!.addr_info as unknown as readonly (Entry & { readonly scope: string })[])
          .filter(({ scope }) => scope !== "link")
          .map((each) =>
            [
              each.local,
              each.address ?? "",
              each.label === "ppp9" ? "" : (each.label ?? ""),
              each.noprefixroute ? "noprefixroute" : "",
              each.deprecated ? "deprecated" : "",
              each.valid_life_time > 4_000_000_000 ? "" : "limited",
            ]
              .join(" ")
              .replaceAll(/ +/g, " ")
              .trim(),
          );
      const expected = [
        ["10.0.0.1 10.0.0.2"],
        ["10.0.0.1 10.0.0.3", "192.0.2.1 ppp9:a"],
        ["192.0.2.1 ppp9:b", "198.51.100.1 noprefixroute", "fd00::1 deprecated"],
        ["192.0.2.1 limited", "fd00::1"],
        ["192.0.2.1"],
      ];
      await agent.commit(route);
      for (const [each, ip_addresses] of [...lists.entries(), ...[...lists.entries()].toReversed()]) {
        await apply(t, { ...value, ip_addresses });
        t.deepEqual(await seen(), expected[each]!);
        t.deepEqual(operations(await agent.scheduler.resyncDownstream()), [], ip_addresses.join());
        t.is(agent.status(route[0]).state, each === 0 ? "CONFIGURED" : "PENDING");
      }
      await agent.commit(wantInterface({ ...value, ip_addresses: ["10.0.0.1 pear 10.0.0.2"] }));
      t.is(stateOf("ppp9"), "INVALID");
      t.is((await agent.commit([route[0], undefined])).error, "");
    },
  },
  "times that the kernel's clock rounds are no difference": {
    async tell(t) {
      await apply(t, {
        name: "b",
        type: "BRIDGE",
        enabled: true,
        bridge: { ageing_time: 12_345, forward_delay: 4_003 },
      });
      t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
    },
  },
};

for (const [title, { tell }] of Object.entries(STORIES)) {
  test.serial(title, async (t) => {
    const before = (await links()).length;
    await tell(t);
    await agent.resync();
    t.true((await links()).length <= before + 1, "what is left is what others have made");
  });
}
