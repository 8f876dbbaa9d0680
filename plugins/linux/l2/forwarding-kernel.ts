import type { Forwarding, Link } from "#plugins/netlink/index.js";
import type { ForwardingEntry } from "#proto/index.js";
import { type PlainForwarding, type PlainRemote, remoteName } from "./forwarding-value.js";

/** NUD_* of linux/neighbour.h: static, and of the host itself. */
const NOARP = 0x40;
const PERMANENT = 0x80;

/** NTF_* of linux/neighbour.h. */
const SELF = 0x02;
const MASTER = 0x04;
const EXT_LEARNED = 0x10;
const STICKY = 0x40;

/** What of a VXLAN its forwarding entries leave out. */
export interface VxlanFacts {
  readonly vni: number;
  readonly port: number;
  /** Where it sends what it knows nothing better for: a remote that it has by itself. */
  readonly group: string | undefined;
  /** Index of its underlay. */
  readonly link: number | undefined;
  readonly hasManyNetworks: boolean;
}

/** `undefined` for a link of another kind. */
export function vxlanFacts({ kind, data = {} }: Pick<Link, "kind" | "data">): VxlanFacts | undefined {
  if (kind !== "vxlan") return undefined;
  const group = data.group ?? data.group6;
  return {
    vni: Number(data.id ?? 0),
    port: Number(data.port ?? 0),
    group: typeof group === "string" ? group : undefined,
    link: typeof data.link === "number" && data.link !== 0 ? data.link : undefined,
    hasManyNetworks: data.collectMetadata === true,
  };
}

/** The bridge that has the entry: that of the port, or the link itself. */
export function bridgeOf(
  { master, self, remotes }: PlainForwarding,
  { index, kind, master: bridge }: Link,
): number | undefined {
  if (master) return bridge;
  return self && remotes.length === 0 && kind === "bridge" ? index : undefined;
}

/** In the table of the bridge that the link is a port of. */
export function bridgeEntry({ mac, vlan, local, sticky, externLearn }: PlainForwarding, linkIndex: number): Forwarding {
  return {
    linkIndex,
    linkAddress: mac,
    state: local ? PERMANENT : NOARP,
    flags: MASTER | (sticky ? STICKY : 0) | (externLearn ? EXT_LEARNED : 0),
    ...(vlan === 0 ? {} : { vlan }),
  };
}

/** In the link's own table, for itself. */
export function ownEntry({ mac, vlan }: PlainForwarding, linkIndex: number): Forwarding {
  return { linkIndex, linkAddress: mac, state: PERMANENT, flags: SELF, ...(vlan === 0 ? {} : { vlan }) };
}

/** @param via index of the interface that it names. */
export function remoteEntry(
  { mac, sourceVni, externLearn }: PlainForwarding,
  { address, vni, port }: PlainRemote,
  { linkIndex, via }: { readonly linkIndex: number; readonly via: number | undefined },
): Forwarding {
  return {
    linkIndex,
    linkAddress: mac,
    state: PERMANENT,
    flags: SELF | (externLearn ? EXT_LEARNED : 0),
    destination: address,
    ...(vni === 0 ? {} : { vni }),
    ...(port === 0 ? {} : { port }),
    ...(via === undefined ? {} : { via }),
    ...(sourceVni === 0 ? {} : { sourceVni }),
  };
}

/** Is it there for good, and not something that the kernel has learned? */
export function isStatic({ state = 0, flags = 0 }: Forwarding): boolean {
  return (state & (PERMANENT | NOARP)) !== 0 || (flags & EXT_LEARNED) !== 0;
}

export function isLocal({ state = 0 }: Forwarding): boolean {
  return (state & PERMANENT) !== 0;
}

/** What a namespace has that may belong to one value. */
export interface FoundEntries {
  /** Entries of the value's link and address. */
  readonly entries: readonly Forwarding[];
  readonly link: Link;
  readonly vxlan: VxlanFacts | undefined;
  /** VLANs that a port without a VLAN of its own stands for. */
  readonly vlans: readonly number[];
  readonly nameOf: (linkIndex: number) => string;
}

/**
 * The value of what is there, told by what is expected; `undefined` when nothing is. Other ends that are not expected are somebody
 * else's, unless the address can have one only.
 */
export function forwardingValue(
  expected: PlainForwarding,
  found: FoundEntries,
  severalEnds: boolean,
): ForwardingEntry | undefined {
  const inBridge = expected.master ? bridgePart(expected, found) : undefined;
  const own = expected.self && expected.remotes.length === 0 && hasOwn(expected, found);
  const ends = expected.remotes.length === 0 ? [] : endsOf(expected, found, severalEnds);
  if (inBridge === undefined && !own && ends.length === 0) return undefined;
  const taught = [...(inBridge === undefined ? [] : [inBridge]), ...ends.map(({ entry }) => entry)].map((each) =>
    flag(each, EXT_LEARNED),
  );
  return {
    interface: expected.interface,
    hw_address: expected.mac,
    ...(expected.vlan === 0 ? {} : { vlan: expected.vlan }),
    ...(inBridge === undefined ? {} : { master: true }),
    ...(own || ends.length > 0 ? { self: true } : {}),
    ...(inBridge !== undefined && isLocal(inBridge) ? { local: true } : {}),
    ...(inBridge !== undefined && flag(inBridge, STICKY) ? { sticky: true } : {}),
    ...((expected.externLearn ? taught.every(Boolean) && taught.length > 0 : taught.some(Boolean))
      ? { extern_learn: true }
      : {}),
    ...(ends.length === 0
      ? {}
      : {
          remotes: ends.map(({ remote: { address, vni, port, via } }) => ({
            address,
            ...(vni === 0 ? {} : { vni }),
            ...(port === 0 ? {} : { port }),
            ...(via === "" ? {} : { via }),
          })),
        }),
    ...(expected.sourceVni === 0 ? {} : { src_vni: expected.sourceVni }),
  };
}

function flag({ flags = 0 }: Forwarding, bit: number): boolean {
  return (flags & bit) !== 0;
}

function inTable({ entries, link }: FoundEntries, vlan: number): Forwarding | undefined {
  return entries.find(
    (each) => each.master !== undefined && (each.vlan ?? 0) === vlan && isStatic(each) && !isOfLinkItself(each, link),
  );
}

/** The kernel's own: without it a bridge does not hear what is sent to its port, or to itself. */
export function isOfLinkItself(entry: Forwarding, { address }: Pick<Link, "address">): boolean {
  return isLocal(entry) && entry.linkAddress === address;
}

/** Without a VLAN it is there only if it is in every VLAN that it stands for. */
function bridgePart({ vlan }: PlainForwarding, found: FoundEntries): Forwarding | undefined {
  const entry = inTable(found, vlan);
  const others = vlan === 0 ? found.vlans : [];
  return others.every((each) => inTable(found, each) !== undefined) ? entry : undefined;
}

function hasOwn({ vlan }: PlainForwarding, { entries, link }: FoundEntries): boolean {
  return entries.some((each) => {
    if ((each.vlan ?? 0) !== vlan || !isLocal(each) || each.destination !== undefined) return false;
    if (link.kind === "bridge") return each.master === link.index && !isOfLinkItself(each, link);
    return each.master === undefined && flag(each, SELF);
  });
}

function endsOf(
  { remotes, sourceVni }: PlainForwarding,
  { entries, vxlan, nameOf }: FoundEntries,
  several: boolean,
): readonly { readonly remote: PlainRemote; readonly entry: Forwarding }[] {
  const expected = new Map(remotes.map((each) => [remoteName(filled(each, vxlan)), each]));
  return entries.flatMap((entry) => {
    const { destination: address, vni = 0, port = 0, via } = entry;
    if (address === undefined || !isLocal(entry) || (entry.sourceVni ?? 0) !== sourceVni) return [];
    const found = { address, vni, port, via: via === undefined ? "" : nameOf(via) };
    const remote = expected.get(remoteName(filled(found, vxlan)));
    return remote === undefined ? (several ? [] : [{ remote: found, entry }]) : [{ remote, entry }];
  });
}

/** The kernel leaves out what is as the VXLAN has it. */
function filled(remote: PlainRemote, vxlan: VxlanFacts | undefined): PlainRemote {
  return { ...remote, vni: remote.vni || (vxlan?.vni ?? 0), port: remote.port || (vxlan?.port ?? 0) };
}

/** Does the VXLAN have that end by itself, whatever its table was taught? */
export function isOwnEnd(remote: PlainRemote, via: number | undefined, vxlan: VxlanFacts | undefined): boolean {
  if (vxlan?.group === undefined || via !== vxlan.link) return false;
  const { address, vni, port } = filled(remote, vxlan);
  return address === vxlan.group && vni === vxlan.vni && port === vxlan.port;
}
