import { interfaceStateKey, type VlanLink } from "#proto/index.js";
import { checkNumber, checkOther, checkRange, type Problems } from "../checks.js";
import { type Attributes, choice, number, type Option } from "../options.js";
import { KernelLinkType } from "./kernel-link.js";

/** ETH_P_8021Q and ETH_P_8021AD of linux/if_ether.h. */
const PROTOCOLS = { DOT1Q: 0x8100, DOT1AD: 0x88a8 } as const;

/** enum vlan_flags of linux/if_vlan.h. */
const FLAGS = { reorder_header: 1, gvrp: 2, loose_binding: 4, mvrp: 8 } as const;
const ALL_FLAGS = 15;

/** IFLA_VLAN_FLAGS: the bits in `mask` are to be those of `flags`. */
interface FlagBits {
  readonly flags: number;
  readonly mask: number;
}

/**
 * An 802.1Q VLAN of a lower interface. The kernel sets it down with the lower interface, and up with it whatever was desired
 * (net/8021q/vlan.c, vlan_device_event), so that it exists only while the lower interface is up, unless loosely bound.
 */
export const vlan = new KernelLinkType({
  type: "VLAN",
  field: "vlan",
  kinds: ["vlan"],
  movable: true,
  ownMtu: "lower",
  lower: { field: "lower_interface" },
  options: {
    id: number("id", { fixed: true }),
    protocol: choice("protocol", PROTOCOLS, { fixed: true }),
    egress_qos: priorities("egressQos"),
    ingress_qos: priorities("ingressQos"),
  },
  shared: { encode: encodeFlags, decode: decodeFlags },

  dependencies: ({ lower_interface: lower = "", loose_binding: loose }) =>
    loose ? [] : [{ label: `interface ${lower} to be up`, key: interfaceStateKey(lower, true) }],

  validate: (part, { name }) => [
    ...checkOther("vlan.lower_interface", part.lower_interface, name),
    ...checkNumber("vlan.id", part.id, 1, 4094),
    ...checkPriorities("vlan.egress_qos", part.egress_qos, 0xffffffff, 7),
    ...checkPriorities("vlan.ingress_qos", part.ingress_qos, 7, 0xffffffff),
  ],
});

function encodeFlags({ reorder_header: reorder = true, gvrp, loose_binding: loose, mvrp }: VlanLink): Attributes {
  const flags =
    (reorder ? FLAGS.reorder_header : 0) |
    (gvrp ? FLAGS.gvrp : 0) |
    (loose ? FLAGS.loose_binding : 0) |
    (mvrp ? FLAGS.mvrp : 0);
  const bits: FlagBits = { flags, mask: ALL_FLAGS };
  return { flags: bits };
}

/** The kernel does not tell flags of which none is set (net/8021q/vlan_netlink.c, vlan_fill_info). */
function decodeFlags({ flags: bits }: Attributes): Partial<VlanLink> {
  const { flags } = (bits ?? { flags: 0 }) as Pick<FlagBits, "flags">;
  return {
    ...(flags & FLAGS.gvrp ? { gvrp: true } : {}),
    ...(flags & FLAGS.mvrp ? { mvrp: true } : {}),
    ...(flags & FLAGS.loose_binding ? { loose_binding: true } : {}),
    ...(flags & FLAGS.reorder_header ? {} : { reorder_header: false }),
  };
}

type Priorities = Readonly<Record<string, number>>;

/**
 * Priorities by priority. The kernel keeps what was once set and knows no removal: a priority that is not mapped any more is mapped
 * to 0, as every priority is from the start.
 */
function priorities(attribute: string): Option<Priorities> {
  const encode = (mapping: Priorities = {}): Attributes => {
    const pairs = Object.entries(mapping).filter(([, to]) => to !== 0);
    return { [attribute]: pairs.map(toPair).sort((a, b) => a.from - b.from) };
  };
  return {
    encode,
    encodeChange(before = {}, after = {}) {
      const unmapped = Object.fromEntries(Object.keys(before).map((from) => [from, 0]));
      return { [attribute]: Object.entries({ ...unmapped, ...after }).map(toPair) };
    },
    decode({ [attribute]: found }) {
      const pairs = ((found ?? []) as readonly Pair[]).filter(({ to }) => to !== 0);
      return pairs.length === 0 ? undefined : Object.fromEntries(pairs.map(({ from, to }) => [String(from), to]));
    },
  };
}

interface Pair {
  readonly from: number;
  readonly to: number;
}

function toPair([from, to]: readonly [string, number]): Pair {
  return { from: Number(from), to };
}

function checkPriorities(field: string, mapping: Priorities | undefined, last: number, lastTo: number): Problems {
  return Object.entries(mapping ?? {}).flatMap(([from, to]) => [
    ...checkRange(field, Number(from), 0, last),
    ...checkRange(`${field}[${from}]`, to, 0, lastTo),
  ]);
}
