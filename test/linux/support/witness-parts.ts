/** What iproute2 says of a link of each kind, in the words of the model; what has its default is left out. */
import type { Interface } from "#proto/index.js";
import type { LinkView } from "#test/support/sandbox.js";

/** Parts of IFLA_INFO_DATA as `ip -json -details` prints them. */
export type Data = Readonly<Record<string, unknown>>;

/** A link with the logical name of the one it stands on, or is joined to, and of those that belong to it. */
export interface Seen {
  readonly view: LinkView;
  readonly data: Data;
  readonly linked: string | undefined;
  /** The logical name of what a tunnel leaves by. */
  readonly underlay: string | undefined;
  readonly members: readonly (Data & { readonly name: string })[];
  /** The logical name of a link of the same namespace by its host name. */
  readonly nameOf: (hostName: unknown) => string | undefined;
}

type Reader = (seen: Seen) => Partial<Interface>;

/** By IFLA_INFO_KIND. */
export const READERS: Readonly<Record<string, Reader>> = {
  veth: ({ linked }) => ({ type: "VETH", veth: defined({ peer_if_name: linked }) }),
  dummy: () => ({ type: "DUMMY" }),
  bridge: (seen) => ({ type: "BRIDGE", bridge: bridge(seen) }),
  vrf: ({ data }) => ({ type: "VRF_DEVICE", vrf_dev: defined({ routing_table: number(data.table) }) }),
  tun: ({ data }) => ({ type: "TAP", tuntap: tuntap(data) }),
  macvlan: (seen) => ({ type: "MACVLAN", macvlan: macvlan(seen) }),
  macvtap: (seen) => ({ type: "MACVLAN", macvlan: { ...macvlan(seen), tap: true } }),
  ipvlan: ({ data, linked }) => ({
    type: "IPVLAN",
    ipvlan: defined({
      lower_interface: linked,
      mode: other("L2", upper(data.mode)),
      isolation: data.private === true ? "PRIVATE" : data.vepa === true ? "VEPA" : undefined,
    }),
  }),
  vlan: ({ data, linked }) => ({ type: "VLAN", vlan: vlan(data, linked) }),
  vxlan: ({ data, underlay }) => ({ type: "VXLAN", vxlan: vxlan(data, underlay) }),
  geneve: ({ data }) => ({
    type: "GENEVE",
    geneve: defined({
      vni: number(data.id),
      remote: text(data.remote ?? data.remote6),
      port: other(6081, number(data.port)),
      ttl: other(0, number(data.ttl)),
      tos: other(0, number(data.tos)),
      udp_checksum: yes(data.udp_csum),
      collect_metadata: yes(data.external),
    }),
  }),
  // Keys and peers are wg(8)'s to tell.
  wireguard: () => ({ type: "WIREGUARD" }),
  bond: (seen) => ({ type: "BOND", bond: bond(seen) }),
  gre: (seen) => ({ type: "GRE", gre: gre(seen) }),
  gretap: (seen) => ({ type: "GRE", gre: { ...gre(seen), mode: "TAP" } }),
  ip6gre: (seen) => ({ type: "GRE", gre: gre(seen) }),
};

function bridge({ data, members }: Seen) {
  return defined({
    stp: yes(data.stp_state !== 0),
    priority: other(32_768, number(data.priority)),
    forward_delay: other(15_000, hundredths(data.forward_delay)),
    hello_time: other(2_000, hundredths(data.hello_time)),
    max_age: other(20_000, hundredths(data.max_age)),
    ageing_time: other(300_000, hundredths(data.ageing_time)),
    vlan_filtering: yes(data.vlan_filtering === 1),
    vlan_default_pvid: other(1, number(data.vlan_default_pvid)),
    vlan_protocol: data.vlan_protocol === "802.1ad" ? "DOT1AD" : undefined,
    multicast_snooping: data.mcast_snooping === 0 ? false : undefined,
    ports: members.length === 0 ? undefined : members.map(bridgePort),
  });
}

function bridgePort({ name, ...port }: Data & { readonly name: string }) {
  return defined({
    interface: name,
    priority: other(32, number(port.priority)),
    hairpin: yes(port.hairpin),
    isolated: yes(port.isolated),
    learning: port.learning === false ? false : undefined,
    unicast_flood: port.flood === false ? false : undefined,
    bpdu_guard: yes(port.guard),
    root_block: yes(port.root_block),
  });
}

function tuntap(data: Data) {
  return defined({
    mode: data.type === "tun" ? "TUN" : undefined,
    owner: data.user === "root" ? 0 : number(data.user),
    group: number(data.group === "tty" ? 5 : data.group),
    packet_info: yes(data.pi),
    multi_queue: yes(data.multi_queue),
    vnet_header: yes(data.vnet_hdr),
  });
}

function macvlan({ data, linked }: Seen) {
  const sources = (data.macaddr_data ?? []) as readonly string[];
  return defined({
    lower_interface: linked,
    mode: other("VEPA", upper(data.mode)),
    source_addresses: sources.length === 0 ? undefined : sources,
  });
}

interface Priority {
  readonly from: number;
  readonly to: number;
}

function vlan(data: Data, linked: string | undefined) {
  const flags = (data.flags ?? []) as readonly string[];
  return defined({
    lower_interface: linked,
    id: number(data.id),
    protocol: data.protocol === "802.1ad" ? "DOT1AD" : undefined,
    reorder_header: flags.includes("REORDER_HDR") ? undefined : false,
    gvrp: yes(flags.includes("GVRP")),
    mvrp: yes(flags.includes("MVRP")),
    loose_binding: yes(flags.includes("LOOSE_BINDING")),
    egress_qos: priorities(data.egress_qos),
    ingress_qos: priorities(data.ingress_qos),
  });
}

function priorities(found: unknown): Readonly<Record<string, number>> | undefined {
  const mapped = ((found ?? []) as readonly Priority[]).filter(({ to }) => to !== 0);
  return mapped.length === 0 ? undefined : Object.fromEntries(mapped.map(({ from, to }) => [String(from), to]));
}

function vxlan(data: Data, underlay: string | undefined) {
  const { low = 0, high = 0 } = (data.port_range ?? {}) as { readonly low?: number; readonly high?: number };
  return defined({
    vni: number(data.id),
    remote: text(data.remote ?? data.remote6 ?? data.group ?? data.group6),
    local: text(data.local ?? data.local6),
    underlay_interface: underlay,
    port: other(4789, number(data.port)),
    ...(high === 0 ? {} : { source_port_min: low, source_port_max: high }),
    ttl: other(0, number(data.ttl)),
    tos: other(0, number(data.tos)),
    learning: data.learning === false ? false : undefined,
    ageing_time: other(300, number(data.ageing)),
    udp_checksum: yes(data.udp_csum),
    collect_metadata: yes(data.external),
    group_policy: yes(data.gbp),
  });
}

const HASH_POLICIES: Readonly<Record<string, string>> = {
  "layer3+4": "LAYER34",
  "layer2+3": "LAYER23",
  "encap2+3": "ENCAP23",
  "encap3+4": "ENCAP34",
  "vlan+srcmac": "VLAN_SRCMAC",
};

function bond({ data, members, nameOf }: Seen) {
  const mode = upper(data.mode)?.replace("802.3AD", "LACP").replaceAll("-", "_");
  return defined({
    mode: other("BALANCE_RR", mode),
    miimon: other(0, number(data.miimon)),
    up_delay: other(0, number(data.updelay)),
    down_delay: other(0, number(data.downdelay)),
    min_links: other(0, number(data.min_links)),
    transmit_hash_policy: HASH_POLICIES[text(data.xmit_hash_policy) ?? ""],
    lacp_rate: data.ad_lacp_rate === "fast" ? "FAST" : undefined,
    primary: nameOf(data.primary),
    ports: members.length === 0 ? undefined : members.map(({ name }) => name),
  });
}

function gre({ data, underlay }: Seen) {
  return defined({
    local: text(data.local),
    remote: text(data.remote),
    underlay_interface: underlay,
    ttl: other(0, number(data.ttl)),
    tos: other(0, number(data.tos)),
    path_mtu_discovery: data.pmtudisc === false ? false : undefined,
    input_key: dotted(data.ikey),
    output_key: dotted(data.okey),
    sequence: yes(data.oseq),
    checksum: yes(data.ocsum),
  });
}

/** Without what is left out. */
function defined(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function other<T>(usual: T, value: T | undefined): T | undefined {
  return value === usual ? undefined : value;
}

function yes(value: unknown): true | undefined {
  return value === true ? true : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function upper(value: unknown): string | undefined {
  return text(value)?.toUpperCase();
}

/** Also of `"0x4"`. */
function number(value: unknown): number | undefined {
  return value === undefined || Number.isNaN(Number(value)) ? undefined : Number(value);
}

/** Hundredths of a second in milliseconds. */
function hundredths(value: unknown): number | undefined {
  const found = number(value);
  return found === undefined ? undefined : found * 10;
}

/** A key, which iproute2 prints as an address. */
function dotted(value: unknown): number | undefined {
  return text(value)
    ?.split(".")
    .reduce((sum, part) => sum * 256 + Number(part), 0);
}
