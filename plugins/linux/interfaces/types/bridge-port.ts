import type { KeyedValue } from "#core/scheduler/api/scheduler.js";
import type { BridgeVlan, Link, NamespaceHandle } from "#plugins/netlink/index.js";
import type { BridgeLink, BridgeLinkPort, Interface, VlanRange } from "#proto/index.js";
import { checkOther, checkRange, type Problems } from "../checks.js";
import { interfaceVlansKey } from "../derived-keys.js";
import type { MemberLinks, Membership } from "../link-type.js";
import { boolean, decodeOptions, encodeOptions, number, type Options, sameAttributes } from "../options.js";

const DEFAULT_PVID = 1;
const LAST_VLAN = 4094;

const options: Options<BridgeLinkPort> = {
  path_cost: number("cost"),
  priority: number("priority", { default: 32, zero: true }),
  hairpin: boolean("hairpin"),
  isolated: boolean("isolated"),
  learning: boolean("learning", { default: true }),
  unicast_flood: boolean("unicastFlood", { default: true }),
  bpdu_guard: boolean("guard"),
  root_block: boolean("protect"),
  broadcast_flood: boolean("broadcastFlood", { default: true }),
  multicast_flood: boolean("multicastFlood", { default: true }),
  multicast_to_unicast: boolean("multicastToUnicast"),
  multicast_router: number("multicastRouter", { default: 1, zero: true }),
  fast_leave: boolean("fastLeave"),
  neighbour_suppression: boolean("neighbourSuppress"),
  proxy_arp: boolean("proxyArp"),
  proxy_arp_wifi: boolean("proxyArpWifi"),
  vlan_tunnel: boolean("vlanTunnel"),
  group_forward_mask: number("groupForwardMask", { default: 0 }),
  locked: boolean("locked"),
};

/** A port, and what it takes from its bridge. */
interface PortSettings {
  readonly port: BridgeLinkPort;
  /** VLAN of untagged packets of ports that do not say; 0: none. */
  readonly defaultPvid: number;
  /** Without it the port has the VLANs that the kernel gives it. */
  readonly filters: boolean;
}

/** Ports of a bridge. The kernel takes a port's own settings, and its VLANs, once it belongs to the bridge. */
export const bridgeMembership: Membership<PortSettings> = {
  membersOf: ({ bridge = {} }: Interface) =>
    (bridge.ports ?? []).map((port) => ({ interface: port.interface ?? "", settings: settingsOf(port, bridge) })),

  async join(links, settings) {
    const { handle, link, master } = links;
    const joined = handle.linkSet({ index: link.index, master });
    try {
      await Promise.all([joined, setAttributes(links, settings), setVlans(handle, link.index, undefined, settings)]);
    } catch (error) {
      // A port that is not as it should be could leak packets between VLANs.
      await handle.linkSet({ index: link.index, master: 0 });
      throw error;
    }
  },

  async change(links, before, after) {
    await Promise.all([setAttributes(links, after), setVlans(links.handle, links.link.index, before, after)]);
  },

  leave: ({ handle, link }) => handle.linkSet({ index: link.index, master: 0 }),

  rejoins: takesOutCost,

  derivedValues: (member, settings) => (settings.filters ? vlanKeys(member, vlansOf(settings)) : []),

  same: (a, b) =>
    !takesOutCost(a, b) &&
    sameAttributes(encodeOptions(options, a.port), encodeOptions(options, b.port)) &&
    a.filters === b.filters &&
    (!b.filters || sameVlans(vlansOf(a), vlansOf(b))),
};

/** A cost that was once given stays, and does not follow the speed any more: net/bridge/br_stp_if.c, BR_ADMIN_COST. */
function takesOutCost({ port: before }: PortSettings, { port: after }: PortSettings): boolean {
  return Boolean(before.path_cost) && !after.path_cost;
}

/** What the kernel itself chooses, by speed or by the name of the link: net/bridge/br_if.c, port_cost. */
const COSTS_BY_SPEED: ReadonlySet<unknown> = new Set([1, 2, 3, 4, 5, 7, 19, 100, 2500]);

export function checkPorts({ ports = [], vlan_filtering: filters }: BridgeLink, bridge: string): Problems {
  const names = ports.map((port) => port.interface);
  return ports.flatMap((port, position) => {
    const field = `bridge.ports[${position}]`;
    const again = names.indexOf(port.interface) !== position;
    return [
      ...checkOther(`${field}.interface`, port.interface, bridge),
      ...(again ? [{ field: `${field}.interface`, problem: `is "${port.interface}", which is a port already` }] : []),
      ...checkRange(`${field}.path_cost`, port.path_cost, 0, 0xffff),
      ...checkRange(`${field}.priority`, port.priority, 0, 63),
      ...checkRange(`${field}.pvid`, port.pvid, 0, LAST_VLAN),
      ...checkRange(`${field}.multicast_router`, port.multicast_router, 0, 3),
      ...checkRange(`${field}.group_forward_mask`, port.group_forward_mask, 0, 0xffff),
      ...(port.vlans ?? []).flatMap((range, each) => checkVlans(`${field}.vlans[${each}]`, range)),
      ...(!filters && (port.pvid || port.vlans)
        ? [{ field, problem: "has VLANs, but the bridge has no vlan_filtering" }]
        : []),
    ];
  });
}

/** The port as the kernel has it. VLANs are told by `expected` where the same set can be said in several ways. */
export function decodePort(
  name: string,
  { slaveData = {} }: Link,
  vlans: readonly BridgeVlan[],
  defaultPvid: number,
  expected: BridgeLinkPort | undefined,
): BridgeLinkPort {
  const plain = { ...decodeOptions(options, slaveData), interface: name };
  const cost = expected?.path_cost || !COSTS_BY_SPEED.has(slaveData.cost) ? {} : { path_cost: 0 };
  const found = vlanMap(vlans);
  if (expected !== undefined && sameVlans(found, vlansOf({ port: expected, defaultPvid, filters: true }))) {
    const { pvid, vlans: ranges } = expected;
    return { ...plain, ...cost, ...(pvid === undefined ? {} : { pvid }), ...(ranges && { vlans: ranges }) };
  }
  const pvid = [...found].find(([, { pvid: own }]) => own)?.[0];
  const tagged = [...found].flatMap(([id, { untagged }]): VlanRange[] => (untagged ? [] : [{ first: id }]));
  return {
    ...plain,
    ...cost,
    ...(pvid === undefined ? {} : { pvid }),
    ...(tagged.length > 0 ? { vlans: tagged } : {}),
  };
}

function settingsOf(port: BridgeLinkPort, bridge: BridgeLink): PortSettings {
  const { vlan_filtering: filters = false, vlan_default_pvid: defaultPvid = DEFAULT_PVID } = bridge;
  return { port, filters, defaultPvid };
}

function setAttributes({ handle, link }: MemberLinks, { port }: PortSettings): Promise<void> {
  return handle.linkSet({ index: link.index, slaveKind: "bridge", slaveData: encodeOptions(options, port) });
}

type Vlans = ReadonlyMap<number, { readonly pvid: boolean; readonly untagged: boolean }>;

/** Every VLAN of a port by its id. */
function vlansOf({ port, defaultPvid }: PortSettings): Vlans {
  const vlans = new Map<number, { pvid: boolean; untagged: boolean }>();
  for (const { first = 0, last } of port.vlans ?? []) {
    for (let id = first; id <= (last || first); id++) vlans.set(id, { pvid: false, untagged: false });
  }
  const pvid = port.pvid || defaultPvid;
  if (pvid !== 0) vlans.set(pvid, { pvid: true, untagged: true });
  return vlans;
}

function vlanMap(vlans: readonly BridgeVlan[]): Vlans {
  const map = new Map<number, { pvid: boolean; untagged: boolean }>();
  for (const { first, last, pvid, untagged } of vlans) {
    for (let id = first; id <= last; id++) map.set(id, { pvid, untagged });
  }
  return map;
}

function sameVlans(a: Vlans, b: Vlans): boolean {
  return a.size === b.size && [...b].every(([id, desired]) => sameVlan(a.get(id), desired));
}

function sameVlan(a: { pvid: boolean; untagged: boolean } | undefined, b: { pvid: boolean; untagged: boolean }) {
  return a?.pvid === b.pvid && a.untagged === b.untagged;
}

/** Removes and adds VLANs. A port that has just joined has the bridge's default one. */
async function setVlans(
  handle: NamespaceHandle,
  linkIndex: number,
  before: PortSettings | undefined,
  after: PortSettings,
): Promise<void> {
  if (!after.filters) return;
  const has = before?.filters ? vlansOf(before) : vlansOf({ ...after, port: {} });
  await replaceVlans(handle, { linkIndex, has, wants: vlansOf(after) });
}

/** Removes and adds VLANs. `self`: of the bridge's own link. */
async function replaceVlans(
  handle: NamespaceHandle,
  { linkIndex, has, wants, self = false }: { linkIndex: number; has: Vlans; wants: Vlans; self?: boolean },
): Promise<void> {
  const gone = [...has.keys()].filter((id) => !wants.has(id));
  const come = [...wants].filter(([id, vlan]) => !sameVlan(has.get(id), vlan));
  await Promise.all([
    ...(gone.length === 0
      ? []
      : [handle.bridgeVlanDel({ linkIndex, vlans: ranges(gone.map((id) => [id, OFF])), self })]),
    ...(come.length === 0 ? [] : [handle.bridgeVlanAdd({ linkIndex, vlans: ranges(come), self })]),
  ]);
}

/** The VLANs of the bridge's own link, where it keeps VLANs apart. */
function selfVlansOf({ self = {}, vlan_default_pvid: defaultPvid = DEFAULT_PVID }: BridgeLink): Vlans {
  const { pvid = defaultPvid, vlans = [] } = self;
  return vlansOf({ port: { vlans }, defaultPvid: pvid, filters: true });
}

export function sameSelf(a: BridgeLink, b: BridgeLink): boolean {
  return !b.vlan_filtering || sameVlans(selfVlansOf(a), selfVlansOf(b));
}

/** Gives the bridge's own link its VLANs; what it has is the kernel's to say, which changes them with the default one. */
export async function setSelf(handle: NamespaceHandle, linkIndex: number, part: BridgeLink): Promise<void> {
  if (!part.vlan_filtering) return;
  const found = (await handle.bridgeVlanList()).find((each) => each.linkIndex === linkIndex);
  await replaceVlans(handle, { linkIndex, has: vlanMap(found?.vlans ?? []), wants: selfVlansOf(part), self: true });
}

/** The VLANs of the bridge's own link as the kernel has them, told by `expected` where the same set can be said in several ways. */
export function decodeSelf(
  vlans: readonly BridgeVlan[],
  defaultPvid: number,
  expected: BridgeLink | undefined,
): Pick<BridgeLink, "self"> {
  const found = vlanMap(vlans);
  const plain = { vlan_default_pvid: defaultPvid };
  if (expected?.self !== undefined && sameVlans(found, selfVlansOf({ ...plain, self: expected.self }))) {
    return { self: expected.self };
  }
  if (sameVlans(found, selfVlansOf(plain))) return {};
  const pvid = [...found].find(([, { pvid: own }]) => own)?.[0] ?? 0;
  const tagged = [...found].flatMap(([id, { untagged }]): VlanRange[] => (untagged ? [] : [{ first: id }]));
  return { self: { pvid, vlans: tagged } };
}

export function checkSelf({ self, vlan_filtering: filters }: BridgeLink): Problems {
  if (self === undefined) return [];
  if (!filters) return [{ field: "bridge.self", problem: "has VLANs, but the bridge has no vlan_filtering" }];
  return [
    ...checkRange("bridge.self.pvid", self.pvid, 0, LAST_VLAN),
    ...(self.vlans ?? []).flatMap((range, each) => checkVlans(`bridge.self.vlans[${each}]`, range)),
  ];
}

/** Forwarding entries wait for them. */
export function selfVlanKeys(name: string, part: BridgeLink): readonly KeyedValue[] {
  return vlanKeys(name, selfVlansOf(part));
}

function vlanKeys(name: string, vlans: Vlans): readonly KeyedValue[] {
  const joined = ranges([...vlans.keys()].map((id) => [id, OFF]));
  return joined.map(({ first, last }) => ({ key: interfaceVlansKey(name, first, last), value: {} }));
}

const OFF = { pvid: false, untagged: false } as const;

/** Neighbouring ids with the same flags as one. The kernel takes no range with a PVID in it. */
function ranges(vlans: readonly (readonly [id: number, flags: typeof OFF | { pvid: boolean; untagged: boolean }])[]) {
  const joined: { first: number; last: number; pvid: boolean; untagged: boolean }[] = [];
  for (const [id, flags] of [...vlans].sort(([a], [b]) => a - b)) {
    const open = joined.at(-1);
    if (open?.last === id - 1 && !open.pvid && !flags.pvid && open.untagged === flags.untagged) open.last = id;
    else joined.push({ first: id, last: id, ...flags });
  }
  return joined;
}

function checkVlans(field: string, { first, last }: VlanRange): Problems {
  const problems = checkRange(`${field}.first`, first ?? 0, 1, LAST_VLAN);
  if (problems.length > 0 || !last) return problems;
  return checkRange(`${field}.last`, last, first ?? 1, LAST_VLAN);
}
