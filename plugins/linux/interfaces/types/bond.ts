import { type BondLink, type BondLinkMode, canonicalAddress, type Interface } from "#proto/index.js";
import { checkOther, checkRange, type Problems } from "../checks.js";
import type { MemberLinks, Membership } from "../link-type.js";
import { restore } from "../member-links.js";
import {
  type Attributes,
  boolean,
  choice,
  number,
  type Option,
  type Options,
  sameAttributes,
  texts,
} from "../options.js";
import { ETHERNET_MTU, KernelLinkType } from "./kernel-link.js";

/** BOND_MODE_* and BOND_XMIT_POLICY_* of linux/if_bonding.h. */
const MODES = {
  BALANCE_RR: 0,
  ACTIVE_BACKUP: 1,
  BALANCE_XOR: 2,
  BROADCAST: 3,
  LACP: 4,
  BALANCE_TLB: 5,
  BALANCE_ALB: 6,
} as const;
const HASH_POLICIES = { LAYER2: 0, LAYER34: 1, LAYER23: 2, ENCAP23: 3, ENCAP34: 4, VLAN_SRCMAC: 5 } as const;
const LACP_RATES = { SLOW: 0, FAST: 1 } as const;

interface PortSettings {
  readonly primary: boolean;
}

/**
 * A port joins while it is down, and the bond sets it up (drivers/net/bonding, bond_enslave); when it leaves it is down. Both
 * times it then gets back what the kernel has taken from it.
 */
const membership: Membership<PortSettings> = {
  membersOf: ({ bond: { ports = [], primary } = {} }: Interface) =>
    ports.map((port) => ({ interface: port, settings: { primary: port === primary } })),

  async join(links, settings) {
    const { handle, link, master } = links;
    const { index } = link;
    if (link.master !== master) {
      const down = handle.linkSet({ index, up: false });
      await Promise.all([down, handle.linkSet({ index, master })]);
      await restore(links);
    }
    if (settings.primary) await prefer(links, index);
  },

  change: (links, _before, after) => prefer(links, after.primary ? links.link.index : 0),

  async leave(links, { primary }) {
    const { handle, link } = links;
    if (primary) await prefer(links, 0);
    await handle.linkSet({ index: link.index, master: 0 });
    await restore(links);
  },

  same: (a, b) => a.primary === b.primary,
  claims: ({ primary }) => (primary ? ["primary"] : []),
};

function prefer({ handle, master }: MemberLinks, port: number): Promise<void> {
  return handle.linkSet({ index: master, kind: "bond", data: { primary: port } });
}

/** Defaults of drivers/net/bonding/bond_main.c. What is `fixed` the kernel takes from a bond that is down only (BOND_OPTFLAG_IFDOWN). */
const MORE_OPTIONS: Options<BondLink> = {
  arp_interval: number("arpInterval", { default: 0 }),
  arp_ip_targets: texts("arpIpTargets"),
  ns_ip6_targets: texts("nsIp6Targets"),
  arp_validate: choice("arpValidate", {
    NO_VALIDATION: 0,
    ACTIVE: 1,
    BACKUP: 2,
    ALL: 3,
    FILTER: 4,
    FILTER_ACTIVE: 5,
    FILTER_BACKUP: 6,
  }),
  arp_all_targets: flagAsNumber("arpAllTargets"),
  missed_max: number("missedMax", { default: 2 }),
  primary_reselect: choice("primaryReselect", { ALWAYS: 0, BETTER: 1, FAILURE: 2 }),
  fail_over_mac: choice("failOverMac", { NONE: 0, FOLLOW_BOND: 1, FOLLOW_PORT: 2 }, { fixed: true }),
  resend_igmp: number("resendIgmp", { default: 1, zero: true }),
  peer_notifications: number("peerNotifications", { default: 1, zero: true }),
  all_ports_active: boolean("allSlavesActive"),
  learning_packet_interval: number("learningPacketInterval", { default: 1 }),
  packets_per_port: number("packetsPerSlave", { default: 1, zero: true }),
  dynamic_balancing: boolean("tlbDynamicLoadBalancing", { default: true, fixed: true }),
  aggregator_selection: choice("adSelect", { STABLE: 0, BANDWIDTH: 1, COUNT: 2 }, { fixed: true }),
  actor_system_priority: number("adActorSystemPriority", { default: 65_535, fixed: true }),
  user_port_key: number("adUserPortKey", { default: 0, fixed: true }),
  actor_system: hardwareAddress("adActorSystem"),
  lacp_active: boolean("lacpActive", { default: true, fixed: true }),
};

/** All zero: the bond's own. */
function hardwareAddress(attribute: string): Option<string> {
  const none = "00:00:00:00:00:00";
  return {
    fixed: true,
    encode: (value) => ({ [attribute]: value?.toLowerCase() || none }),
    decode({ [attribute]: value }) {
      return typeof value === "string" && value !== none ? value : undefined;
    },
  };
}

function flagAsNumber(attribute: string): Option<boolean> {
  return {
    encode: (value = false) => ({ [attribute]: value ? 1 : 0 }),
    decode: ({ [attribute]: value }) => (value === 1 ? true : undefined),
  };
}

const bondOptions: Options<BondLink> = {
  mode: choice("mode", MODES, { fixed: true }),
  transmit_hash_policy: choice("transmitHashPolicy", HASH_POLICIES),
  min_links: number("minLinks", { default: 0 }),
  ...MORE_OPTIONS,
};

/** Several interfaces as one. */
export const bond = new KernelLinkType({
  type: "BOND",
  field: "bond",
  kinds: ["bond"],
  ownMtu: ETHERNET_MTU,
  membership,
  options: bondOptions,
  shared: { encode: encodeWatching, decode: decodeWatching },

  validate: (part, { name }) => [
    ...checkPorts(part, name),
    ...checkWatching(part),
    ...checkModes(part),
    ...checkArp(part),
    ...checkRanges(part),
  ],

  /** The kernel takes it from a bond that is down only. */
  recreates: (before, after) => (before.lacp_rate ?? "SLOW") !== (after.lacp_rate ?? "SLOW"),

  async decodeMore(found, links) {
    const members = links.membersOf(found);
    const primary = members.find(({ link }) => link.index === found.link.data?.primary);
    return {
      ...(members.length === 0 ? {} : { ports: members.map(({ name }) => name) }),
      ...(primary === undefined ? {} : { primary: primary.name }),
    };
  },
});

/** The kernel rounds delays down to whole looks at the link (bond_option_updelay_set), and has none without these. */
function encodeWatching(part: BondLink): Attributes {
  const { up_delay: up = 0, down_delay: down = 0, peer_notification_delay: told = 0, mode, lacp_rate: rate } = part;
  const miimon = lookIntervalOf(part);
  const lacp = mode === "LACP" ? { lacpRate: LACP_RATES[rate ?? "SLOW"] } : {};
  if (miimon === 0) return { ...lacp, miimon };
  return {
    ...lacp,
    miimon,
    upDelay: up - (up % miimon),
    downDelay: down - (down % miimon),
    peerNotificationDelay: told - (told % miimon),
  };
}

/** These modes cannot do without looking at the link: bond_main.c, BOND_DEFAULT_MIIMON. */
const WATCHING_MODES: ReadonlySet<BondLinkMode | undefined> = new Set(["LACP", "BALANCE_TLB", "BALANCE_ALB"]);
const DEFAULT_INTERVAL = 100;

function lookIntervalOf({ miimon, mode }: BondLink): number {
  return miimon || (WATCHING_MODES.has(mode) ? DEFAULT_INTERVAL : 0);
}

function decodeWatching(attributes: Attributes): Partial<BondLink> {
  const { miimon, upDelay, downDelay, peerNotificationDelay: told, mode, lacpRate } = attributes;
  return {
    ...(told ? { peer_notification_delay: Number(told) } : {}),
    ...(miimon ? { miimon: Number(miimon) } : {}),
    ...(upDelay ? { up_delay: Number(upDelay) } : {}),
    ...(downDelay ? { down_delay: Number(downDelay) } : {}),
    ...(mode === MODES.LACP && lacpRate === LACP_RATES.FAST ? { lacp_rate: "FAST" } : {}),
  };
}

function checkPorts({ ports = [], primary, mode }: BondLink, name: string | undefined): Problems {
  const twice = ports.flatMap((port, position): Problems => {
    const field = `bond.ports[${position}]`;
    if (ports.indexOf(port) !== position) return [{ field, problem: `is "${port}", which is a port already` }];
    return checkOther(field, port, name);
  });
  if (!primary) return twice;
  const field = "bond.primary";
  if (!ports.includes(primary)) return [...twice, { field, problem: `is "${primary}", which is none of the ports` }];
  if (PREFERRING_MODES.has(mode)) return twice;
  const problem = `is set, but only ${[...PREFERRING_MODES].join(", ")} prefer a port; mode is ${modeOf(mode)}`;
  return [...twice, { field, problem }];
}

/** include/net/bonding.h, bond_mode_uses_primary. */
const PREFERRING_MODES: ReadonlySet<BondLinkMode | undefined> = new Set([
  "ACTIVE_BACKUP",
  "BALANCE_TLB",
  "BALANCE_ALB",
]);

/** The kernel says EPERM to delays of a bond that does not look at its links (bond_option_updelay_set). */
function checkWatching(part: BondLink): Problems {
  const { up_delay: up, down_delay: down, peer_notification_delay: told } = part;
  if (lookIntervalOf(part) > 0 || (!up && !down && !told)) return [];
  return [
    {
      field: "bond.miimon",
      problem: "is missing, but up_delay, down_delay and peer_notification_delay are counted in it",
    },
  ];
}

const LOAD_BALANCING = ["BALANCE_TLB", "BALANCE_ALB"] as const;

/** Fields that the kernel takes in some modes only: drivers/net/bonding/bond_options.c, bond_opts. */
const MODES_OF: readonly (readonly [field: keyof BondLink, modes: readonly BondLinkMode[]])[] = [
  ["lacp_rate", ["LACP"]],
  ["aggregator_selection", ["LACP"]],
  ["actor_system_priority", ["LACP"]],
  ["actor_system", ["LACP"]],
  ["user_port_key", ["LACP"]],
  ["lacp_active", ["LACP"]],
  ["packets_per_port", ["BALANCE_RR"]],
  ["dynamic_balancing", ["BALANCE_TLB"]],
  ["primary_reselect", ["ACTIVE_BACKUP", ...LOAD_BALANCING]],
  ["arp_interval", ["BALANCE_RR", "ACTIVE_BACKUP", "BALANCE_XOR", "BROADCAST"]],
  ["arp_validate", ["BALANCE_RR", "ACTIVE_BACKUP", "BALANCE_XOR", "BROADCAST"]],
];

function checkModes(part: BondLink): Problems {
  const mode = modeOf(part.mode);
  return MODES_OF.flatMap(([field, modes]): Problems => {
    if (!isSaid(part, field) || modes.includes(mode)) return [];
    return [
      {
        field: `bond.${field}`,
        problem: `is ${String(part[field])}, but belongs to ${modes.join(", ")}; mode is ${mode}`,
      },
    ];
  });
}

/** Says the field something else than the default? */
function isSaid(part: BondLink, field: keyof BondLink): boolean {
  const option: Option<never> | undefined = bondOptions[field] as Option<never> | undefined;
  if (field === "lacp_rate") return part.lacp_rate === "FAST";
  if (option === undefined || part[field] === undefined) return false;
  return !sameAttributes(option.encode(part[field] as never), option.encode(undefined));
}

/** The kernel looks at links or asks hosts, and turns the one off for the other (bond_option_arp_interval_set). */
function checkArp({
  arp_interval: interval,
  miimon,
  arp_ip_targets: v4 = [],
  ns_ip6_targets: v6 = [],
}: BondLink): Problems {
  const both = interval && miimon ? [{ field: "bond.arp_interval", problem: "is set, but so is miimon" }] : [];
  const checkTarget = (field: string, text: string, family: string): Problems => {
    const address = canonicalAddress(text);
    if (address !== undefined && address.includes(":") === (family === "IPv6")) return [];
    return [{ field, problem: `is "${text}", expected an address of ${family}` }];
  };
  return [
    ...both,
    ...v4.flatMap((text, each) => checkTarget(`bond.arp_ip_targets[${each}]`, text, "IPv4")),
    ...v6.flatMap((text, each) => checkTarget(`bond.ns_ip6_targets[${each}]`, text, "IPv6")),
  ];
}

function checkRanges(part: BondLink): Problems {
  const { actor_system: system } = part;
  const isMac = !system || /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(system);
  return [
    ...checkRange("bond.missed_max", part.missed_max, 0, 255),
    ...checkRange("bond.resend_igmp", part.resend_igmp, 0, 255),
    ...checkRange("bond.peer_notifications", part.peer_notifications, 0, 255),
    ...checkRange("bond.peer_notification_delay", part.peer_notification_delay, 0, 300_000),
    ...checkRange("bond.packets_per_port", part.packets_per_port, 0, 65_535),
    ...checkRange("bond.actor_system_priority", part.actor_system_priority, 0, 65_535),
    ...checkRange("bond.user_port_key", part.user_port_key, 0, 1_023),
    ...(isMac ? [] : [{ field: "bond.actor_system", problem: `is "${system}", expected a MAC address` }]),
  ];
}

function modeOf(mode: BondLinkMode | undefined): BondLinkMode {
  return mode ?? "BALANCE_RR";
}
