import type { Link, NamespaceHandle } from "#plugins/netlink/index.js";
import type { BridgeLink, BridgeLinkPort } from "#proto/index.js";
import { checkRange, type Problems } from "../checks.js";
import type { FoundLink, FoundLinks } from "../link-type.js";
import { boolean, number, type Option } from "../options.js";
import { IPV6_MIN_MTU } from "../own-addresses.js";
import { bridgeMembership, checkPorts, decodePort } from "./bridge-port.js";
import { KernelLinkType } from "./kernel-link.js";

/** The kernel counts times in hundredths of a second (USER_HZ). */
const PER_MILLISECOND = 0.1;

function time(attribute: string, initial: number, { zero = false } = {}): Option<number> {
  return number(attribute, { default: initial, zero, scale: PER_MILLISECOND, ticks: true });
}

/** A bridge. Its ports are values of their own: see bridge-port.ts. */
export const bridge = new KernelLinkType({
  type: "BRIDGE",
  field: "bridge",
  kinds: ["bridge"],
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
  },

  validate: (part, { name = "" }) => [
    ...checkRange("bridge.priority", part.priority, 0, 0xffff),
    ...checkRange("bridge.vlan_default_pvid", part.vlan_default_pvid, 0, 4094),
    ...checkTimes(part),
    ...checkPorts(part, name),
  ],

  finish: ({ mtu }, link, { handle }) => (mtu === link.mtu ? holdMtu(link, handle) : Promise.resolve()),
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
  if (members.length === 0) return {};
  const filters = found.link.data?.vlanFiltering === true;
  const vlans = filters ? await found.handle.bridgeVlanList() : [];
  const wanted = new Map(expected?.ports?.map((port) => [port.interface ?? "", port]));
  const ports = members.map(({ name, link }): BridgeLinkPort => {
    const own = vlans.find(({ linkIndex }) => linkIndex === link.index)?.vlans ?? [];
    return decodePort(name, link, own, Number(found.link.data?.vlanDefaultPvid ?? 1), wanted.get(name));
  });
  return { ports };
}
