import type { Dependency, InvalidField, KeyedValue } from "#core/scheduler/api/scheduler.js";
import type { Link, NamespaceHandle } from "#plugins/netlink/index.js";
import type { Interface, InterfaceType, NetNamespace } from "#proto/index.js";
import type { NamespaceLease } from "../namespaces/index.js";
import type { Marker } from "./marker.js";

/** Names of the `oneof link` fields of `Interface`. */
export type LinkField =
  | "veth"
  | "tap"
  | "vrf_dev"
  | "bridge"
  | "vxlan"
  | "macvlan"
  | "tuntap"
  | "vlan"
  | "bond"
  | "ipvlan"
  | "geneve"
  | "gre"
  | "wireguard";

/** Where a link is: its namespace and its index there. */
export interface LinkLocation {
  readonly handle: NamespaceHandle;
  readonly index: number;
}

/** What a link type may use of the world around the value it works on. */
export interface LinkContext {
  /** The namespace that the value names. */
  readonly handle: NamespaceHandle;
  readonly marker: Marker;
  /** Where the link of another interface is. Throws `SouthboundError` (`ENODEV`) when it is not there. */
  locationOf(name: string): LinkLocation;
  /** The desired value of another interface. */
  desired(name: string): Interface | undefined;
  acquire(namespace: NetNamespace | undefined, name: string): Promise<NamespaceLease>;
  /**
   * Frees a host name that a link of ours has and is to give up. Resolves with the link that keeps it, `undefined` when it is
   * free.
   */
  readonly makeWay: (
    handle: NamespaceHandle,
    hostName: string,
    namespace: NetNamespace | undefined,
  ) => Promise<Link | undefined>;
}

/** What belongs to a lower link, and is the same for all that stand on it. */
export interface SharedSettings {
  /** Logical name of the lower link. */
  readonly lower: string;
  /** In words; equal for equal settings. */
  readonly text: string;
  /** The field to name when they differ. */
  readonly field: string;
}

/** A link that was found in the kernel, with what is needed to tell what belongs to it. */
export interface FoundLink {
  readonly link: Link;
  readonly handle: NamespaceHandle;
}

/** Lets a link type find other links of ours while it decodes one. */
export interface FoundLinks {
  /**
   * The logical name of the link that `found` refers to by `index` (default: IFLA_LINK, its peer or parent), which counts in the
   * namespace that IFLA_LINK_NETNSID names. Empty when no interface of ours has that link, `undefined` when it is in
   * a namespace that was not looked into.
   */
  linkedName(found: FoundLink, index?: number): Promise<string | undefined>;
  /** The links that have `found` as their master and belong to interfaces of ours, with their logical names. */
  membersOf(found: FoundLink): readonly { readonly name: string; readonly link: Link }[];
}

/** One interface that belongs to another, as a port does to its bridge. */
export interface Member {
  /** Logical name. */
  readonly interface: string;
  /** What is said about the membership; plain data. */
  readonly settings: object;
}

/** A member's link and its master's, both in the namespace of `handle`. */
export interface MemberLinks {
  readonly handle: NamespaceHandle;
  readonly link: Link;
  readonly master: number;
  /** The desired value of the member, and the addresses that belong on it. */
  readonly desired: Interface | undefined;
  readonly addresses: readonly string[];
}

/** For a type whose links have members: each is a value of its own, derived from the master's. */
export interface Membership<S extends object = object> {
  membersOf(value: Interface): readonly (Member & { readonly settings: S })[];
  /** Joins. The member may be the master's already. */
  join(links: MemberLinks, settings: S): Promise<void>;
  /** True when the change needs leaving and joining again. */
  rejoins?(before: S, after: S): boolean;
  /** Left out: every change is leaving and joining again. */
  change?(links: MemberLinks, before: S, after: S): Promise<void>;
  /** Leaves the master. */
  leave(links: MemberLinks, settings: S): Promise<void>;
  /** Do both mean the same? `b` may leave things to the kernel. */
  same(a: S, b: S): boolean;
  /** What others may depend on besides the membership. */
  derivedValues?(member: string, settings: S): readonly KeyedValue[];
  /** What only one member of a master can be. */
  claims?(settings: S): readonly string[];
}

/**
 * What the agent knows of one interface type. A type is one file in `types/` and one line in `types/index.ts`. Everything that
 * all types share (names, addresses, MTU, MAC address, up and down, marks, namespace moves) is done around it; a
 * type has only what is its own. Values are validated before any other method sees them.
 */
export interface LinkType {
  readonly type: InterfaceType;
  /** The field of `Interface` that is this type's own, if it has one. */
  readonly field?: LinkField;
  /** IFLA_INFO_KIND of its links. A type without any is configured, but neither made nor removed. */
  readonly kinds?: readonly string[];
  /** True when others make its links, and the namespaces that they are in. */
  readonly foreign?: boolean;
  /** True when the kernel can move its links to another namespace, and they are then as if they had been made there. */
  readonly movable?: boolean;
  readonly membership?: Membership;

  /** Why none of its links can be given a MAC address; `undefined` when they can. */
  withoutMac?(value: Interface): string | undefined;
  /** True when no link of it can belong to a VRF. */
  readonly outsideVrfs?: boolean;

  /** Wrong fields of the type's own part. */
  validate?(value: Interface): readonly InvalidField[];
  /** What it waits for besides its namespace. `isWatched`: are the interfaces of that named namespace announced, whoever makes them? */
  dependencies?(value: Interface, isWatched: (name: string) => boolean): readonly Dependency[];
  /** What derives from its values besides what derives from every interface. */
  derivedValues?(value: Interface): readonly KeyedValue[];
  /** Name in the host of a value that gives none. Default: the logical name. */
  defaultHostName?(value: Interface): string;

  /**
   * Makes the link (or finds the one that it configures), with its mark. Settings that all types share need not be in force
   * afterwards. Cleans up after itself when it throws.
   */
  create(value: Interface, context: LinkContext): Promise<Link>;
  /** Do both mean the same, as far as the type's own part goes? `b` may leave things to the kernel. Default: nothing differs. */
  same?(a: Interface, b: Interface): boolean;
  /**
   * The MTU that the kernel gives a link of the value when it says none. Left out: nobody knows, so that a link whose value gives up
   * its MTU is made anew.
   */
  defaultMtu?(value: Interface, context: LinkContext): Promise<number>;
  /** What of the value is not its own link's but the lower one's. */
  shared?(value: Interface): SharedSettings | undefined;
  /** True when the change cannot be made to the link in place. */
  recreates?(oldValue: Interface, newValue: Interface): boolean;
  /** Changes the type's own part of the link. Left out: nothing of it can change in place. */
  update?(oldValue: Interface, newValue: Interface, index: number, context: LinkContext): Promise<void>;
  /** Removes the link. A link that is gone already is fine. Left out: the link stays. */
  remove?(value: Interface, index: number, context: LinkContext): Promise<void>;
  /** The type's own part, as found in the kernel. `expected` is the desired value, if there is one. */
  decode?(found: FoundLink, links: FoundLinks, expected: Interface | undefined): Promise<Partial<Interface>>;
}
