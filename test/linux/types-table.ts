/** What the test of the interface types is told about each type. Kinds are the kernel's. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Interface } from "#proto/index.js";

export type Named = Interface & { readonly name: string };

/** Parts of what `ip -json -details link` prints. */
export type Seen = Readonly<Record<string, unknown>>;

export interface Change {
  readonly to: Partial<Interface>;
  /** IFLA_INFO_DATA afterwards. */
  readonly seen: Seen;
  /** The link is not the same afterwards. */
  readonly anew?: boolean;
}

export interface TypeCase {
  readonly title: string;
  readonly kind: string;
  /** What of the kind not every kernel has. */
  readonly options?: readonly string[];
  readonly value: Named;
  /** IFLA_INFO_DATA of the link. */
  readonly seen: Seen;
  /** Changes of the type's own part, each made to `value`. */
  readonly changes: Readonly<Record<string, Change>>;
  /** A move to another namespace makes another link. */
  readonly stays?: boolean;
  /** It has no MAC address, or one that cannot be chosen. */
  readonly noAddress?: boolean;
}

const common = { enabled: true, ip_addresses: ["10.70.0.1/24", "fd00:70::1/64"] } as const;

/** What links stand on in these cases: one end of a pair. */
export const LOWER: readonly Named[] = [
  { name: "lower", type: "VETH", enabled: true, ip_addresses: ["192.0.2.1/24"], veth: { peer_if_name: "lower-peer" } },
  { name: "lower-peer", type: "VETH", enabled: true, host_if_name: "lowerpeer", veth: { peer_if_name: "lower" } },
  { name: "lower2", type: "VETH", enabled: true, ip_addresses: ["198.51.100.1/24"], veth: { peer_if_name: "lower2p" } },
  { name: "lower2p", type: "VETH", enabled: true, veth: { peer_if_name: "lower2" } },
];

/** Who declares the tests writes a key into it. */
export const PRIVATE_KEY_FILE = join(tmpdir(), "tenuto-test-wireguard.key");
const PUBLIC_KEY = "TGFHcm9zc2VCaWNoZV9DJ2VzdExhUGx1c0JlbGxlPDM=";

const gre = { local: "192.0.2.1", remote: "192.0.2.2" } as const;
const bond = { miimon: 100 } as const;

const TYPES: readonly TypeCase[] = [
  {
    title: "a bridge",
    kind: "bridge",
    value: { ...common, name: "subject", type: "BRIDGE", bridge: {} },
    stays: true,
    seen: { stp_state: 0, forward_delay: 1500, ageing_time: 30000, vlan_filtering: 0, mcast_snooping: 1 },
    changes: {
      stp: { to: { bridge: { stp: true } }, seen: { stp_state: 1 } },
      priority: { to: { bridge: { priority: 4096 } }, seen: { priority: 4096 } },
      times: {
        to: { bridge: { forward_delay: 4000, hello_time: 1000, max_age: 6000 } },
        seen: { forward_delay: 400, hello_time: 100, max_age: 600 },
      },
      ageing_time: { to: { bridge: { ageing_time: 0 } }, seen: { ageing_time: 0 } },
      multicast_snooping: { to: { bridge: { multicast_snooping: false } }, seen: { mcast_snooping: 0 } },
    },
  },
  {
    title: "a bridge that keeps VLANs apart",
    kind: "bridge",
    options: ["vlan_filtering", "1"],
    value: { ...common, name: "subject", type: "BRIDGE", bridge: { vlan_filtering: true } },
    stays: true,
    seen: { vlan_filtering: 1, vlan_default_pvid: 1 },
    changes: {
      "default VLAN": {
        to: { bridge: { vlan_filtering: true, vlan_default_pvid: 20 } },
        seen: { vlan_filtering: 1, vlan_default_pvid: 20 },
      },
      "no default VLAN": {
        to: { bridge: { vlan_filtering: true, vlan_default_pvid: 0 } },
        seen: { vlan_filtering: 1, vlan_default_pvid: 0 },
      },
      "no filtering": { to: { bridge: {} }, seen: { vlan_filtering: 0 } },
    },
  },
  {
    title: "a VXLAN",
    kind: "vxlan",
    value: { ...common, name: "subject", type: "VXLAN", vxlan: { vni: 5, remote: "192.0.2.2", local: "192.0.2.1" } },
    stays: true,
    seen: { id: 5, remote: "192.0.2.2", local: "192.0.2.1", port: 4789, learning: true, ttl: 0, ageing: 300 },
    changes: {
      vni: {
        to: { vxlan: { vni: 6, remote: "192.0.2.2", local: "192.0.2.1" } },
        seen: { id: 6 },
        anew: true,
      },
      remote: { to: { vxlan: { vni: 5, remote: "192.0.2.3", local: "192.0.2.1" } }, seen: { remote: "192.0.2.3" } },
      "no remote": { to: { vxlan: { vni: 5 } }, seen: { id: 5 }, anew: true },
      port: {
        to: { vxlan: { vni: 5, remote: "192.0.2.2", local: "192.0.2.1", port: 8472 } },
        seen: { port: 8472 },
        anew: true,
      },
      "source ports": {
        to: { vxlan: { vni: 5, source_port_min: 40_000, source_port_max: 41_000 } },
        seen: { port_range: { low: 40_000, high: 41_000 } },
        anew: true,
      },
      "the rest": {
        to: {
          vxlan: { vni: 5, remote: "192.0.2.2", local: "192.0.2.1", ttl: 7, tos: 4, learning: false, ageing_time: 60 },
        },
        seen: { ttl: 7, tos: "0x4", learning: false, ageing: 60 },
      },
      "an underlay": {
        to: { vxlan: { vni: 5, remote: "239.1.1.1", underlay_interface: "lower" } },
        seen: { group: "239.1.1.1", link: "lower" },
        anew: true,
      },
      IPv6: {
        to: { vxlan: { vni: 5, remote: "2001:db8::2", local: "2001:db8::1" } },
        seen: { remote6: "2001:db8::2", local6: "2001:db8::1" },
        anew: true,
      },
    },
  },
  {
    title: "a MACVLAN",
    kind: "macvlan",
    value: { ...common, name: "subject", type: "MACVLAN", macvlan: { lower_interface: "lower", mode: "BRIDGE" } },
    seen: { mode: "bridge" },
    changes: {
      mode: { to: { macvlan: { lower_interface: "lower", mode: "PRIVATE" } }, seen: { mode: "private" } },
      "the kernel's mode": { to: { macvlan: { lower_interface: "lower" } }, seen: { mode: "vepa" } },
      passthru: {
        to: { macvlan: { lower_interface: "lower", mode: "PASSTHRU" } },
        seen: { mode: "passthru" },
        anew: true,
      },
      sources: {
        to: { macvlan: { lower_interface: "lower", mode: "SOURCE", source_addresses: ["02:00:00:00:70:0F"] } },
        seen: { mode: "source", macaddr_count: 1 },
      },
      "the lower interface": {
        to: { macvlan: { lower_interface: "lower2", mode: "BRIDGE" } },
        seen: { mode: "bridge" },
        anew: true,
      },
    },
  },
  {
    title: "a macvtap",
    kind: "macvtap",
    value: {
      ...common,
      name: "subject",
      type: "MACVLAN",
      macvlan: { lower_interface: "lower", mode: "BRIDGE", tap: true },
    },
    seen: { mode: "bridge" },
    changes: {
      mode: { to: { macvlan: { lower_interface: "lower", mode: "PRIVATE", tap: true } }, seen: { mode: "private" } },
    },
  },
  {
    title: "a TAP",
    kind: "tun",
    value: { ...common, name: "subject", type: "TAP", tuntap: {} },
    seen: { type: "tap", pi: false, multi_queue: false, vnet_hdr: false, persist: true },
    changes: {
      options: {
        to: { tuntap: { packet_info: true, multi_queue: true, vnet_header: true, owner: 0, group: 5 } },
        seen: { type: "tap", pi: true, multi_queue: true, vnet_hdr: true },
        anew: true,
      },
    },
  },
  {
    title: "a TUN",
    kind: "tun",
    value: { ...common, name: "subject", type: "TAP", tuntap: { mode: "TUN" } },
    noAddress: true,
    seen: { type: "tun" },
    changes: { mode: { to: { tuntap: {} }, seen: { type: "tap" }, anew: true } },
  },
  {
    title: "a VLAN",
    kind: "vlan",
    value: { ...common, name: "subject", type: "VLAN", vlan: { lower_interface: "lower", id: 7 } },
    seen: { id: 7, protocol: "802.1Q", flags: ["REORDER_HDR"] },
    changes: {
      id: { to: { vlan: { lower_interface: "lower", id: 8 } }, seen: { id: 8 }, anew: true },
      protocol: {
        to: { vlan: { lower_interface: "lower", id: 7, protocol: "DOT1AD" } },
        seen: { protocol: "802.1ad" },
        anew: true,
      },
      flags: {
        to: { vlan: { lower_interface: "lower", id: 7, reorder_header: false, loose_binding: true } },
        seen: { flags: ["LOOSE_BINDING"] },
      },
      "no flags": { to: { vlan: { lower_interface: "lower", id: 7, reorder_header: false } }, seen: { id: 7 } },
      priorities: {
        to: { vlan: { lower_interface: "lower", id: 7, egress_qos: { "1": 2, "6": 7 }, ingress_qos: { "5": 3 } } },
        seen: {
          egress_qos: [
            { from: 1, to: 2 },
            { from: 6, to: 7 },
          ],
          ingress_qos: [{ from: 5, to: 3 }],
        },
      },
      "the lower interface": { to: { vlan: { lower_interface: "lower2", id: 7 } }, seen: { id: 7 }, anew: true },
    },
  },
  {
    title: "a dummy",
    kind: "dummy",
    value: { ...common, name: "subject", type: "DUMMY" },
    seen: {},
    changes: {},
  },
  {
    title: "a VRF",
    kind: "vrf",
    value: { ...common, name: "subject", type: "VRF_DEVICE", vrf_dev: { routing_table: 100 } },
    stays: true,
    seen: { table: 100 },
    changes: { table: { to: { vrf_dev: { routing_table: 101 } }, seen: { table: 101 }, anew: true } },
  },
  {
    title: "a bond",
    kind: "bond",
    value: { ...common, name: "subject", type: "BOND", bond },
    stays: true,
    seen: { mode: "balance-rr", miimon: 100, min_links: 0 },
    changes: {
      mode: { to: { bond: { ...bond, mode: "ACTIVE_BACKUP" } }, seen: { mode: "active-backup" }, anew: true },
      delays: {
        to: { bond: { miimon: 50, up_delay: 120, down_delay: 100 } },
        seen: { miimon: 50, updelay: 100, downdelay: 100 },
      },
      "hash policy": {
        to: { bond: { ...bond, mode: "BALANCE_XOR", transmit_hash_policy: "LAYER34" } },
        seen: { mode: "balance-xor", xmit_hash_policy: "layer3+4" },
        anew: true,
      },
      LACP: {
        to: { bond: { ...bond, mode: "LACP", lacp_rate: "FAST", min_links: 2 } },
        seen: { mode: "802.3ad", ad_lacp_rate: "fast", min_links: 2 },
        anew: true,
      },
    },
  },
  {
    title: "an IPVLAN",
    kind: "ipvlan",
    value: { ...common, name: "subject", type: "IPVLAN", ipvlan: { lower_interface: "lower" } },
    noAddress: true,
    seen: { mode: "l2", bridge: true },
    changes: {
      mode: { to: { ipvlan: { lower_interface: "lower", mode: "L3" } }, seen: { mode: "l3" } },
      isolation: { to: { ipvlan: { lower_interface: "lower", isolation: "PRIVATE" } }, seen: { private: true } },
    },
  },
  {
    title: "a GENEVE",
    kind: "geneve",
    value: { ...common, name: "subject", type: "GENEVE", geneve: { vni: 5, remote: "192.0.2.2" } },
    stays: true,
    seen: { id: 5, remote: "192.0.2.2", port: 6081, ttl: 0, udp_csum: false },
    changes: {
      vni: { to: { geneve: { vni: 6, remote: "192.0.2.2" } }, seen: { id: 6 }, anew: true },
      remote: { to: { geneve: { vni: 5, remote: "192.0.2.3" } }, seen: { remote: "192.0.2.3" } },
      ttl: { to: { geneve: { vni: 5, remote: "192.0.2.2", ttl: 9, tos: 4 } }, seen: { ttl: 9, tos: "0x4" } },
      port: { to: { geneve: { vni: 5, remote: "192.0.2.2", port: 6082 } }, seen: { port: 6082 }, anew: true },
      IPv6: { to: { geneve: { vni: 5, remote: "2001:db8::2" } }, seen: { remote6: "2001:db8::2" }, anew: true },
    },
  },
  {
    title: "a GRE tunnel",
    kind: "gre",
    value: { ...common, name: "subject", type: "GRE", gre },
    stays: true,
    noAddress: true,
    seen: { local: "192.0.2.1", remote: "192.0.2.2", ttl: 0, pmtudisc: true },
    changes: {
      remote: { to: { gre: { ...gre, remote: "192.0.2.3" } }, seen: { remote: "192.0.2.3", local: "192.0.2.1" } },
      keys: { to: { gre: { ...gre, input_key: 0, output_key: 7 } }, seen: { ikey: "0.0.0.0", okey: "0.0.0.7" } },
      flags: {
        to: { gre: { ...gre, sequence: true, checksum: true } },
        seen: { iseq: true, oseq: true, icsum: true, ocsum: true },
      },
      ttl: { to: { gre: { ...gre, ttl: 9, tos: 4 } }, seen: { ttl: 9, tos: "0x4", local: "192.0.2.1" } },
      "path MTU": { to: { gre: { ...gre, path_mtu_discovery: false } }, seen: { pmtudisc: false } },
      "an underlay": { to: { gre: { ...gre, underlay_interface: "lower" } }, seen: { link: "lower" }, anew: true },
      TAP: { to: { gre: { ...gre, mode: "TAP" } }, seen: { local: "192.0.2.1" }, anew: true },
    },
  },
  {
    title: "a WireGuard",
    kind: "wireguard",
    value: { ...common, name: "subject", type: "WIREGUARD", wireguard: { private_key_file: PRIVATE_KEY_FILE } },
    stays: true,
    noAddress: true,
    seen: {},
    changes: {
      "port, mark and a peer": {
        to: {
          wireguard: {
            private_key_file: PRIVATE_KEY_FILE,
            listen_port: 51820,
            fw_mark: 7,
            peers: [{ public_key: PUBLIC_KEY, endpoint: "192.0.2.2:51820", allowed_ips: ["10.72.0.0/16"] }],
          },
        },
        seen: {},
      },
    },
  },
];

/** Kinds that every kernel has on which tests run; without the options of a case. */
const COMMON_KINDS = new Set(["bridge", "macvlan", "macvtap", "tun", "vxlan"]);

/** Types for this kernel, and those for the machine's. */
export const COMMON_TYPES = TYPES.filter(isCommon);
const OTHER_TYPES = TYPES.filter((each) => !isCommon(each));
/** In two parts, so that the machine's two processors are at work on them until the end. */
const HALF = Math.ceil(OTHER_TYPES.length / 2);
export const OTHER_TYPES_FIRST = OTHER_TYPES.slice(0, HALF);
export const OTHER_TYPES_SECOND = OTHER_TYPES.slice(HALF);

function isCommon({ kind, options }: TypeCase): boolean {
  return COMMON_KINDS.has(kind) && options === undefined;
}
