import type { Link, NamespaceHandle } from "#plugins/netlink/index.js";
import type { BridgeLink, BridgeLinkPort } from "#proto/index.js";
import { checkRange, type Problems } from "../checks.js";
import type { FoundLink, FoundLinks } from "../link-type.js";
import { boolean, choice, number, type Option, type Options } from "../options.js";
import { IPV6_MIN_MTU } from "../own-addresses.js";
import {
  bridgeMembership,
  checkPorts,
  checkSelf,
  decodePort,
  decodeSelf,
  sameSelf,
  selfVlanKeys,
  setSelf,
} from "./bridge-port.js";
import { KernelLinkType } from "./kernel-link.js";

/** The kernel counts times in hundredths of a second (USER_HZ). */
const PER_MILLISECOND = 0.1;

const wideTime = (attribute: string, initial: number): Option<number> =>
  number(attribute, { default: initial, scale: PER_MILLISECOND, ticks: true, wide: true });

/** Defaults of net/bridge/br_multicast.c, br_multicast_init. */
const MORE_OPTIONS: Options<BridgeLink> = {
  vlan_protocol: choice("vlanProtocol", { DOT1Q: 0x8100, DOT1AD: 0x88a8 }),
  group_forward_mask: number("groupForwardMask", { default: 0 }),
  multicast_querier: boolean("multicastQuerier"),
  multicast_query_use_address: boolean("multicastQueryUseIfaddr"),
  multicast_router: number("multicastRouter", { default: 1, zero: true }),
  multicast_hash_max: number("multicastHashMax", { default: 4096 }),
  multicast_last_member_count: number("multicastLastMemberCount", { default: 2 }),
  multicast_startup_query_count: number("multicastStartupQueryCount", { default: 2 }),
  multicast_last_member_interval: wideTime("multicastLastMemberInterval", 1_000),
  multicast_membership_interval: wideTime("multicastMembershipInterval", 260_000),
  multicast_querier_interval: wideTime("multicastQuerierInterval", 255_000),
  multicast_query_interval: wideTime("multicastQueryInterval", 125_000),
  multicast_query_response_interval: wideTime("multicastQueryResponseInterval", 10_000),
  multicast_startup_query_interval: wideTime("multicastStartupQueryInterval", 31_250),
  multicast_igmp_version: number("multicastIgmpVersion", { default: 2 }),
  multicast_mld_version: number("multicastMldVersion", { default: 1 }),
  vlan_statistics: boolean("vlanStatsEnabled"),
  multicast_statistics: boolean("multicastStatsEnabled"),
  nf_call_iptables: boolean("nfCallIptables"),
  nf_call_ip6tables: boolean("nfCallIp6tables"),
  nf_call_arptables: boolean("nfCallArptables"),
};

function time(attribute: string, initial: number, { zero = false } = {}): Option<number> {
  return number(attribute, { default: initial, zero, scale: PER_MILLISECOND, ticks: true });
}

/** A bridge. Its ports are values of their own: see bridge-port.ts. */
export const bridge = new KernelLinkType({
  type: "BRIDGE",
  field: "bridge",
  kinds: ["bridge"],
  ownMtu: "smallest of the ports",
  membership: bridgeMembership,
  options: {
    stp: stpOption(),
    priority: number("priority", { default: 32_768, zero: true }),
    forward_delay: time("forwardDelay", 15_000),
    hello_time: time("helloTime", 2_000),
    max_age: time("maxAge", 20_000),
    ageing_time: time("ageingTime", 300_000, { zero: true }),
    vlan_filtering: boolean("vlanFiltering"),
    vlan_default_pvid: number("vlanDefaultPvid", { default: 1, zero: true }),
    multicast_snooping: boolean("multicastSnooping", { default: true }),
    ...MORE_OPTIONS,
  },

  validate: (part, { name = "" }) => [
    ...checkRange("bridge.priority", part.priority, 0, 0xffff),
    ...checkRange("bridge.vlan_default_pvid", part.vlan_default_pvid, 0, 4094),
    ...checkTimes(part),
    ...checkPorts(part, name),
    ...checkMulticast(part),
    ...checkSelf(part),
  ],

  derivedValues: (part, { name = "" }) => (part.vlan_filtering ? selfVlanKeys(name, part) : []),
  same: sameSelf,
  async finish({ mtu, bridge: part = {} }, link, { handle }) {
    if (mtu === link.mtu) await holdMtu(link, handle);
    if (!sameSelf({}, part)) await setSelf(handle, link.index, part);
  },
  change: (_before, after, index, { handle }) => setSelf(handle, index, after),
  decodeMore: decodePorts,
});

/**
 * A bridge takes the smallest MTU of its ports, until its own is changed: only then does the kernel hold it
 * (BROPT_MTU_SET_BY_USER in net/bridge/br_device.c, br_change_mtu). What it is made with, or has already, is no change.
 */
async function holdMtu({ index, mtu }: Link, handle: NamespaceHandle): Promise<void> {
  const another = mtu > IPV6_MIN_MTU ? mtu - 1 : mtu + 1;
  await Promise.all([handle.linkSet({ index, mtu: another }), handle.linkSet({ index, mtu })]);
}

/** BR_KERNEL_STP of net/bridge/br_private.h; 2 is a daemon's, and as good. */
function stpOption(): Option<boolean> {
  return {
    encode: (value = false) => ({ stpState: value ? 1 : 0 }),
    decode: ({ stpState }) => (stpState === 0 || stpState === undefined ? undefined : true),
  };
}

/** net/bridge: br_set_attr of the netlink attributes, and BR_GROUPFWD_RESTRICTED of br_private.h. */
function checkMulticast(part: BridgeLink): Problems {
  const { group_forward_mask: mask = 0 } = part;
  const restricted = [
    { field: "bridge.group_forward_mask", problem: `is ${mask}; bits 0, 1 and 2 cannot be forwarded` },
  ];
  return [
    ...checkRange("bridge.group_forward_mask", mask, 0, 0xffff),
    ...((mask & 7) === 0 ? [] : restricted),
    ...checkRange("bridge.multicast_router", part.multicast_router, 0, 2),
    ...(part.multicast_igmp_version
      ? checkRange("bridge.multicast_igmp_version", part.multicast_igmp_version, 2, 3)
      : []),
    ...(part.multicast_mld_version ? checkRange("bridge.multicast_mld_version", part.multicast_mld_version, 1, 2) : []),
  ];
}

/** Limits of net/bridge/br_private_stp.h. 0 is the default. */
function checkTimes({ forward_delay: delay, hello_time: hello, max_age: age }: BridgeLink): Problems {
  return [
    ...(delay ? checkRange("bridge.forward_delay", delay, 2_000, 30_000) : []),
    ...(hello ? checkRange("bridge.hello_time", hello, 1_000, 10_000) : []),
    ...(age ? checkRange("bridge.max_age", age, 6_000, 40_000) : []),
  ];
}

async function decodePorts(
  found: FoundLink,
  links: FoundLinks,
  expected: BridgeLink | undefined,
): Promise<Partial<BridgeLink>> {
  const members = links.membersOf(found);
  const filters = found.link.data?.vlanFiltering === true;
  const vlans = filters ? await found.handle.bridgeVlanList() : [];
  const defaultPvid = Number(found.link.data?.vlanDefaultPvid ?? 1);
  const own = vlans.find(({ linkIndex }) => linkIndex === found.link.index)?.vlans ?? [];
  const self = filters ? decodeSelf(own, defaultPvid, expected) : {};
  if (members.length === 0) return self;
  const desired = new Map(expected?.ports?.map((port) => [port.interface ?? "", port]));
  const ports = members.map(({ name, link }): BridgeLinkPort => {
    const own = vlans.find(({ linkIndex }) => linkIndex === link.index)?.vlans ?? [];
    return decodePort(name, link, own, defaultPvid, desired.get(name));
  });
  return { ports, ...self };
}
