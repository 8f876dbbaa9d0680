import type { BondLink, BondLinkMode, Interface } from "#proto/index.js";
import { checkOther, type Problems } from "../checks.js";
import type { MemberLinks, Membership } from "../link-type.js";
import { restore } from "../member-links.js";
import { type Attributes, choice, number } from "../options.js";
import { KernelLinkType } from "./kernel-link.js";

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

/** Several interfaces as one. */
export const bond = new KernelLinkType({
  type: "BOND",
  field: "bond",
  kinds: ["bond"],
  membership,
  options: {
    mode: choice("mode", MODES, { fixed: true }),
    transmit_hash_policy: choice("transmitHashPolicy", HASH_POLICIES),
    min_links: number("minLinks", { default: 0 }),
  },
  shared: { encode: encodeWatching, decode: decodeWatching },

  validate: (part, { name }) => [...checkPorts(part, name), ...checkWatching(part), ...checkModes(part)],

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
  const { up_delay: up = 0, down_delay: down = 0, mode, lacp_rate: rate } = part;
  const miimon = lookIntervalOf(part);
  const lacp = mode === "LACP" ? { lacpRate: LACP_RATES[rate ?? "SLOW"] } : {};
  if (miimon === 0) return { ...lacp, miimon };
  return { ...lacp, miimon, upDelay: up - (up % miimon), downDelay: down - (down % miimon) };
}

/** These modes cannot do without looking at the link: bond_main.c, BOND_DEFAULT_MIIMON. */
const WATCHING_MODES: ReadonlySet<BondLinkMode | undefined> = new Set(["LACP", "BALANCE_TLB", "BALANCE_ALB"]);
const DEFAULT_INTERVAL = 100;

function lookIntervalOf({ miimon, mode }: BondLink): number {
  return miimon || (WATCHING_MODES.has(mode) ? DEFAULT_INTERVAL : 0);
}

function decodeWatching({ miimon, upDelay, downDelay, mode, lacpRate }: Attributes): Partial<BondLink> {
  return {
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
  const { up_delay: up, down_delay: down } = part;
  if (lookIntervalOf(part) > 0 || (!up && !down)) return [];
  return [{ field: "bond.miimon", problem: "is missing, but up_delay and down_delay are counted in it" }];
}

function checkModes({ mode, lacp_rate: rate }: BondLink): Problems {
  if (rate !== "FAST" || mode === "LACP") return [];
  return [{ field: "bond.lacp_rate", problem: `is FAST, but belongs to mode LACP; mode is ${modeOf(mode)}` }];
}

function modeOf(mode: BondLinkMode | undefined): BondLinkMode {
  return mode ?? "BALANCE_RR";
}
