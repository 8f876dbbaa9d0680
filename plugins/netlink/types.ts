import { token } from "#core/plugin/token.js";
import type { DumpMemory } from "./namespace/dump-memory.js";

/**
 * How to find a network namespace. `path` is a file such as `/run/netns/red` or `/proc/42/ns/net`. With a `startTime` (field 22 of
 * proc_pid_stat(5)) `pid` is that process only, and not another one that gets its id; the `ref` of a handle has it.
 */
export type NamespaceRef =
  | { readonly kind: "default" }
  | { readonly kind: "named"; readonly name: string }
  | { readonly kind: "pid"; readonly pid: number; readonly startTime?: string | undefined }
  | { readonly kind: "path"; readonly path: string };

/**
 * Attributes that no table knows, by number (with the flag bits of `nla_type`), kept so that they survive a round
 * trip.
 */
export type UnknownAttributes = ReadonlyMap<number, Uint8Array>;

/** 64-bit counters of `struct rtnl_link_stats64`. */
export interface LinkStatistics {
  readonly rxPackets: bigint;
  readonly txPackets: bigint;
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
  readonly rxErrors: bigint;
  readonly txErrors: bigint;
  readonly rxDropped: bigint;
  readonly txDropped: bigint;
}

/** `IF_OPER_*` of linux/if.h. */
export type OperState = "unknown" | "notpresent" | "down" | "lowerlayerdown" | "testing" | "dormant" | "up";

/** A link as the kernel describes it (RTM_NEWLINK). */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** `ARPHRD_*`. */
  readonly hardwareType: number;
  /** `IFF_*`. */
  readonly flags: number;
  readonly up: boolean;
  readonly mtu: number;
  /** Lower-case, colons; empty where the link has none. */
  readonly address: string;
  readonly permanentAddress?: string;
  readonly operState: OperState;
  readonly carrier: boolean;
  readonly carrierChanges: number;
  /** IFLA_INFO_KIND: `veth`, `bridge`; undefined for a physical link and loopback. */
  readonly kind?: string;
  /** IFLA_INFO_DATA by attribute name, where the kind has a table. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly slaveKind?: string;
  readonly slaveData?: Readonly<Record<string, unknown>>;
  /** Index of the master (bridge, bond, VRF). */
  readonly master?: number;
  /** IFLA_LINK: index of the peer or parent, in the namespace that `linkNamespaceId` names (own when undefined). */
  readonly link?: number;
  readonly linkNamespaceId?: number;
  readonly group: number;
  readonly alias?: string;
  readonly altNames: readonly string[];
  readonly txQueueLength: number;
  readonly statistics?: LinkStatistics;
  readonly unknown: UnknownAttributes;
}

/** What to make or change of a link. Left out means untouched. */
export interface LinkRequest {
  readonly index?: number;
  readonly name?: string;
  readonly up?: boolean;
  readonly mtu?: number;
  readonly address?: string;
  readonly master?: number;
  readonly link?: number;
  /** IFLA_IFALIAS. The kernel takes it from `linkSet` only, and silently ignores it in `linkAdd`. */
  readonly alias?: string;
  readonly group?: number;
  readonly txQueueLength?: number;
  readonly kind?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** IFLA_INFO_SLAVE_KIND and its data: options of a port of `master`. Only with `linkSet`. */
  readonly slaveKind?: string;
  readonly slaveData?: Readonly<Record<string, unknown>>;
  /**
   * For `veth`: the other end, made in `peer.namespace` when given. The kernel cannot make it up (ENOTCONN): set it up
   * afterwards.
   */
  readonly peer?: Omit<LinkRequest, "up" | "peer">;
  /** Make the link there, or move it there. */
  readonly namespace?: NamespaceHandle;
  readonly unknown?: UnknownAttributes;
}

/** Neighbouring VLANs of a bridge port. A range has neither PVID nor different flags. */
export interface BridgeVlan {
  readonly first: number;
  readonly last: number;
  /** The VLAN of packets that come in untagged. */
  readonly pvid: boolean;
  /** Packets leave without a tag. */
  readonly untagged: boolean;
}

export interface PortVlans {
  readonly linkIndex: number;
  readonly vlans: readonly BridgeVlan[];
}

export interface PortVlansRequest extends PortVlans {
  /** Of a bridge's own link, which is no port. */
  readonly self?: boolean;
}

/** What a bridge tells of one of its ports, or (`master` is the link itself) of itself. */
export interface BridgeMember extends PortVlans {
  readonly master: number;
  /** As `Link.slaveData`. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** What IPv4 and IPv6 keep of a link, by number: `IPV4_DEVCONF_*` of linux/ip.h, `DEVCONF_*` of linux/ipv6.h. */
export interface LinkProtocols {
  readonly ipv4: ReadonlyMap<number, number>;
  /** Empty where the link has no IPv6. */
  readonly ipv6: ReadonlyMap<number, number>;
  /** The host part of addresses that the link makes for itself. */
  readonly token?: string;
  /** `IN6_ADDR_GEN_MODE_*`. */
  readonly addressMode?: number;
}

/** Left out means untouched. */
export interface LinkProtocolsRequest {
  readonly linkIndex: number;
  readonly ipv4?: ReadonlyMap<number, number>;
  readonly ipv6?: { readonly token?: string; readonly addressMode?: number };
}

/** A TUN or TAP device that stays when no program is attached (linux/if_tun.h). */
export interface TapRequest {
  readonly name: string;
  /** Ethernet frames (`tap`) or IP packets (`tun`). */
  readonly mode: "tap" | "tun";
  /** Packets carry flags and protocol in front. */
  readonly packetInformation: boolean;
  readonly virtioHeader: boolean;
  readonly multiQueue: boolean;
  /** User and group that may attach besides root. */
  readonly owner?: number;
  readonly group?: number;
  /** As of a link; given before the device stays, so that there is never one that stays without it. */
  readonly alias: string;
}

/** Keys and peers of a WireGuard link (linux/wireguard.h). Keys are base64. What a request leaves out is left alone. */
export interface WireguardDevice {
  readonly linkIndex: number;
  readonly privateKey?: string;
  /** Belongs to the private key; can only be read. */
  readonly publicKey?: string;
  readonly listenPort?: number;
  readonly fwMark?: number;
  /** In a request: the peers to add, change or remove. */
  readonly peers?: readonly WireguardPeer[];
}

export interface WireguardPeer {
  readonly publicKey: string;
  /** All zero: none. */
  readonly presharedKey?: string;
  readonly endpoint?: { readonly address: string; readonly port: number };
  /** Seconds; 0: never. */
  readonly persistentKeepalive?: number;
  /** Networks; in a request those that replace what the peer has. */
  readonly allowedIps?: readonly string[];
  /** Only in a request. */
  readonly remove?: boolean;
}

/** An address of a link (RTM_NEWADDR). `address` is `10.0.0.1/24` or `2001:db8::1/64`, in canonical form. */
export interface Address {
  readonly linkIndex: number;
  readonly address: string;
  /** `RT_SCOPE_*`: universe 0, link 253, host 254. */
  readonly scope?: number;
  /** IFA_FLAGS. IFA_F_NODAD keeps duplicate address detection away. */
  readonly flags?: number;
  readonly peer?: string;
  readonly broadcast?: string;
  readonly label?: string;
  /** Seconds that are left; left out: for ever. Addresses whose preferred lifetime is over are no sources any more. */
  readonly validLifetime?: number;
  readonly preferredLifetime?: number;
  /** IFA_PROTO (Linux ≥ 5.18). */
  readonly protocol?: number;
  readonly unknown?: UnknownAttributes;
}

export interface NextHop {
  readonly linkIndex?: number;
  readonly gateway?: string;
  /** 1 to 256. */
  readonly weight?: number;
  readonly onLink?: boolean;
}

/** A route (RTM_NEWROUTE). `destination` always has a prefix length; the default route is `0.0.0.0/0` or `::/0`. */
export interface Route {
  readonly destination: string;
  readonly table?: number;
  /** RTPROT_*; who made it. */
  readonly protocol?: number;
  readonly scope?: number;
  /** RTN_*: unicast 1, blackhole 6, unreachable 7, prohibit 8. */
  readonly type?: number;
  readonly linkIndex?: number;
  readonly gateway?: string;
  readonly preferredSource?: string;
  readonly metric?: number;
  readonly nextHops?: readonly NextHop[];
  readonly onLink?: boolean;
  readonly flags?: number;
  readonly unknown?: UnknownAttributes;
}

/** A neighbour entry (RTM_NEWNEIGH). */
export interface Neighbour {
  readonly linkIndex: number;
  readonly address: string;
  readonly linkAddress?: string;
  /** NUD_*: permanent 0x80. */
  readonly state?: number;
  readonly flags?: number;
  /** NDA_PROTOCOL: who made it, as RTPROT_*. */
  readonly protocol?: number;
  readonly unknown?: UnknownAttributes;
}

/** Both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** A policy rule (RTM_NEWRULE). */
/** An entry of a forwarding table (AF_BRIDGE): of a bridge, of a VXLAN, or of the filter of another link. */
export interface Forwarding {
  /** The port, or the link whose own table it is. */
  readonly linkIndex: number;
  readonly linkAddress: string;
  /** NUD_*: permanent 0x80, static (NOARP) 0x40, learned (REACHABLE) 0x02. */
  readonly state?: number;
  /** NTF_*: self 0x02, master 0x04, externally learned 0x10, sticky 0x40. */
  readonly flags?: number;
  readonly vlan?: number;
  /** Other end of a VXLAN. What is left out of the next four is as the VXLAN itself has it. */
  readonly destination?: string;
  readonly port?: number;
  readonly vni?: number;
  /** Index of the link that the outer packets leave by. */
  readonly via?: number;
  /** The network it is for, in a VXLAN with many. */
  readonly sourceVni?: number;
  /** Index of the bridge whose table it is; only read. */
  readonly master?: number;
  /** Group of next hops in place of a destination; only read. */
  readonly nexthopGroup?: number;
  readonly unknown?: UnknownAttributes;
}

export interface ForwardingFilter {
  /** A port, a bridge, or a link with a table of its own. Left out: all. */
  readonly linkIndex?: number;
}

export interface ForwardingQuery {
  /** Index of the bridge. */
  readonly master: number;
  readonly linkAddress: string;
  readonly vlan?: number;
}

export interface Rule {
  readonly family: "inet" | "inet6";
  readonly priority: number;
  readonly table?: number;
  readonly source?: string;
  readonly destination?: string;
  readonly inputInterface?: string;
  readonly outputInterface?: string;
  readonly mark?: number;
  readonly markMask?: number;
  /** FR_ACT_*: to table 1, goto 2, blackhole 6, unreachable 7, prohibit 8. */
  readonly action?: number;
  readonly protocol?: number;
  /** Type of service, the whole byte. */
  readonly tos?: number;
  /** Match what the selectors do not match. */
  readonly invert?: boolean;
  /** Priority of the rule to go on at, for `action` 2. */
  readonly goto?: number;
  /** Ignore routes whose prefix is of this length or shorter. */
  readonly suppressPrefixLength?: number;
  /** IPPROTO_*. */
  readonly ipProtocol?: number;
  readonly sourcePorts?: PortRange;
  readonly destinationPorts?: PortRange;
  readonly unknown?: UnknownAttributes;
}

export interface RouteFilter {
  readonly family?: "inet" | "inet6";
  readonly table?: number;
  readonly linkIndex?: number;
  readonly protocol?: number;
}

/** What a caller makes of routes that it reads again and again. */
export interface RouteInterpreter<T> {
  /** Is what was made of a route the last time still good? */
  stands(meaning: T): boolean;
  /** What a route means; when `undefined` it is asked for again the next time. */
  interpret(route: Route): T | undefined;
}

export type NetlinkEvent =
  | { readonly type: "link"; readonly deleted: boolean; readonly link: Link }
  /** With the group `link`: settings or VLANs of a bridge's port, which events about the link do not tell. */
  | { readonly type: "bridge-member"; readonly deleted: boolean; readonly member: BridgeMember }
  /** IPv4 or IPv6 settings of a link were changed (RTM_NEWNETCONF): the kernel tells of forwarding, rp_filter and proxies only. */
  | { readonly type: "netconf"; readonly deleted: boolean; readonly linkIndex: number }
  | { readonly type: "address"; readonly deleted: boolean; readonly address: Address }
  | { readonly type: "route"; readonly deleted: boolean; readonly route: Route }
  | { readonly type: "neighbour"; readonly deleted: boolean; readonly neighbour: Neighbour }
  /** With the group `neighbour`. */
  | { readonly type: "forwarding"; readonly deleted: boolean; readonly entry: Forwarding }
  | { readonly type: "rule"; readonly deleted: boolean; readonly rule: Rule }
  /** Events were lost (ENOBUFS): dump and compare. */
  | { readonly type: "lost" }
  /** The namespace handle was closed. */
  | { readonly type: "closed" };

export type EventGroup = "link" | "netconf" | "address" | "route" | "neighbour" | "rule";

/**
 * A socket in one network namespace. Requests made in the same turn of the event loop leave in one `send`; each gets
 * its own result. A refused request rejects with `SouthboundError`: `code` is the errno name, the message has the
 * kernel's extended ack and names the object. Adding what exists fails with `EEXIST`, deleting what is gone with
 * `ENODEV`/`ESRCH`/…: whether that matters is the caller's decision.
 */
export interface NamespaceHandle {
  readonly ref: NamespaceRef;
  /** Device and inode of the namespace: equal for two references to the same one. */
  readonly identity: string;
  /** Open file descriptor of the namespace in this process, for IFLA_NET_NS_FD. */
  readonly fd: number;

  linkAdd(link: LinkRequest): Promise<void>;
  linkSet(link: LinkRequest & { readonly index: number }): Promise<void>;
  linkDel(index: number): Promise<void>;
  /** `undefined` when there is none. */
  linkByName(name: string): Promise<Link | undefined>;
  linkByIndex(index: number): Promise<Link | undefined>;
  linkList(filter?: { readonly kind?: string; readonly master?: number }): Promise<readonly Link[]>;
  /** Makes a TUN or TAP device. `EBUSY` when a device of another kind has the name. */
  tapAdd(tap: TapRequest): Promise<void>;
  /** VLANs of every port of a bridge that keeps VLANs apart. */
  bridgeVlanList(): Promise<readonly PortVlans[]>;
  bridgeVlanAdd(request: PortVlansRequest): Promise<void>;
  bridgeVlanDel(request: PortVlansRequest): Promise<void>;
  /** Names of the offloads in force (ethtool netlink; `rx-checksum`, `tx-checksum-ip-generic` …). */
  featureList(index: number): Promise<ReadonlySet<string>>;
  /** Asks for offloads on or off. The driver may refuse in silence: `featureList` tells. */
  featureSet(index: number, features: Readonly<Record<string, boolean>>): Promise<void>;
  /** Mbit/s, 0 when the driver does not know it (ethtool netlink). `EOPNOTSUPP` for a link of a kind that has no speed. */
  linkSpeed(index: number): Promise<number>;
  /** `undefined` when there is no such link. `ENOENT` when the kernel does not have WireGuard. */
  wireguardGet(index: number): Promise<WireguardDevice | undefined>;
  wireguardSet(device: WireguardDevice): Promise<void>;
  /** `undefined` when there is no such link. */
  linkProtocols(index: number): Promise<LinkProtocols | undefined>;
  linkProtocolsSet(request: LinkProtocolsRequest): Promise<void>;
  /** Writes a file below `/proc/sys/net` as it is in this namespace: `ipv6/conf/eth0/forwarding`. */
  sysctlSet(path: string, value: string): Promise<void>;
  /** Sets one of them to what another one is. */
  sysctlCopy(from: string, to: string): Promise<void>;
  altNameAdd(index: number, name: string): Promise<void>;
  altNameDel(index: number, name: string): Promise<void>;

  addrAdd(address: Address): Promise<void>;
  addrReplace(address: Address): Promise<void>;
  addrDel(address: Address): Promise<void>;
  addrList(filter?: { readonly linkIndex?: number; readonly family?: "inet" | "inet6" }): Promise<readonly Address[]>;

  routeAdd(route: Route): Promise<void>;
  /** Many at once, which is quicker than one by one. Each has its own result, in the same order; never rejects. */
  routeAddMany(routes: readonly Route[]): Promise<readonly PromiseSettledResult<void>[]>;
  routeDelMany(routes: readonly Route[]): Promise<readonly PromiseSettledResult<void>[]>;
  /** Adds a route beside others of the same metric; in IPv6 they become one with several next hops. */
  routeAppend(route: Route): Promise<void>;
  routeReplace(route: Route): Promise<void>;
  routeDel(route: Route): Promise<void>;
  routeList(filter?: RouteFilter): Promise<readonly Route[]>;
  /**
   * What routes mean to a caller, those left out that mean nothing. One that is in the kernel's dump byte for byte as the last time
   * means what it meant then, without being decoded. The memory is for one namespace and filter.
   */
  routeRecall<T>(memory: DumpMemory<T>, filter: RouteFilter, interpreter: RouteInterpreter<T>): Promise<readonly T[]>;

  neighAdd(neighbour: Neighbour): Promise<void>;
  neighSet(neighbour: Neighbour): Promise<void>;
  neighDel(neighbour: Neighbour): Promise<void>;
  /** `proxy`: addresses that the host answers for, in place of neighbours. */
  neighList(filter?: { readonly linkIndex?: number; readonly proxy?: boolean }): Promise<readonly Neighbour[]>;

  /** Adds an entry; `EEXIST` when the address has one. */
  forwardingAdd(entry: Forwarding): Promise<void>;
  /** Sets the one entry of an address. */
  forwardingSet(entry: Forwarding): Promise<void>;
  /** Adds one more other end of a VXLAN to an address that may have several. */
  forwardingAppend(entry: Forwarding): Promise<void>;
  forwardingDel(entry: Forwarding): Promise<void>;
  forwardingList(filter?: ForwardingFilter): Promise<readonly Forwarding[]>;
  /** The entry of a bridge for an address, `undefined` when there is none. */
  forwardingGet(query: ForwardingQuery): Promise<Forwarding | undefined>;

  ruleAdd(rule: Rule): Promise<void>;
  ruleDel(rule: Rule): Promise<void>;
  ruleList(family?: "inet" | "inet6"): Promise<readonly Rule[]>;

  /** The id by which this namespace knows another (`linkNamespaceId`), `undefined` when none is assigned. */
  namespaceId(other: NamespaceHandle): Promise<number | undefined>;

  /**
   * Kernel events, in order. Returns the unsubscribe function. The first event may be older than the subscription's
   * return. `ownRoutes: false` leaves out what requests through this client did to routes: the kernel does not even hand it over,
   * unless another subscriber asks for it.
   */
  subscribe(
    groups: readonly EventGroup[],
    listener: (event: NetlinkEvent) => void,
    options?: { readonly ownRoutes?: boolean },
  ): Promise<() => void>;

  /** Releases this reference; the socket closes with the last one. */
  close(): void;
}

export interface NamedEvent {
  readonly name: string;
  /** Of the namespace that came or went, as `NamespaceHandle.identity`. */
  readonly identity: string;
  readonly created: boolean;
}

/** The netlink client's face. Provided by the netlink plugin. */
export interface Netlink {
  /** The agent's own namespace. Open from `init` to `close`. */
  readonly default: NamespaceHandle;
  /** Opens a namespace, or one more reference to an open one. Fails with `SouthboundError`: `ENOENT`, `EPERM`… */
  open(ref: NamespaceRef): Promise<NamespaceHandle>;
  /**
   * Makes a named namespace with its loopback up. `alias`: of its loopback, which has it before anybody can find the namespace: whoever
   * marks what he makes finds it again however he ends. `EEXIST` when the name is taken. Needs CAP_SYS_ADMIN.
   */
  createNamed(name: string, options?: { readonly alias?: string }): Promise<void>;
  /** Unmounts and removes a named namespace. Links in it that have no other home go with it. */
  deleteNamed(name: string): Promise<void>;
  /** Names under the directory of named namespaces. */
  listNamed(): Promise<readonly string[]>;
  /**
   * Named namespaces that appear (`created`) or vanish, whoever made them. A name that stands for another namespace than before
   * vanished and appeared. Returns the unwatch function.
   */
  watchNamed(listener: (event: NamedEvent) => void): () => void;
}

export const Netlink = token<Netlink>("Netlink");
