import type { MacvlanLink } from "#proto/index.js";
import { checkOther, type Problems } from "../checks.js";
import { type Attributes, choice } from "../options.js";
import { KernelLinkType } from "./kernel-link.js";

/** enum macvlan_mode of linux/if_link.h. The first is the kernel's choice. */
const MODES = { UNDEFINED: 2, VEPA: 2, PRIVATE: 1, BRIDGE: 4, PASSTHRU: 8, SOURCE: 16 } as const;

/** MACVLAN_MACADDR_SET of enum macvlan_macaddr_mode. */
const REPLACE_ALL = 3;

const MAC_ADDRESS = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** Another MAC address on a lower interface, macvlan or (openable by programs) macvtap. */
export const macvlan = new KernelLinkType({
  type: "MACVLAN",
  field: "macvlan",
  kinds: ["macvlan", "macvtap"],
  kindOf: ({ tap }) => (tap ? "macvtap" : "macvlan"),
  movable: true,
  ownMtu: "lower",
  lower: { field: "lower_interface" },
  options: { mode: choice("mode", MODES) },
  shared: { encode: encodeSources, decode: decodeSources },

  validate: (part, { name }) => [
    ...checkOther("macvlan.lower_interface", part.lower_interface, name),
    ...checkSources(part),
  ],

  /** drivers/net/macvlan.c, macvlan_changelink: passing through takes the lower interface over, and does not change. */
  recreates: (before, after) =>
    before.mode !== after.mode && [before.mode, after.mode].some((mode) => mode === "PASSTHRU"),

  decodeMore: async ({ link }) => (link.kind === "macvtap" ? { tap: true } : {}),
});

/** Only in mode SOURCE does the kernel take any, and then none too: it keeps those that it is told nothing of. */
function encodeSources({ mode, source_addresses: addresses = [] }: MacvlanLink): Attributes {
  if (mode !== "SOURCE") return {};
  const sorted = [...new Set(addresses.map((each) => each.toLowerCase()))].sort();
  return { macAddressMode: REPLACE_ALL, macAddresses: sorted };
}

function decodeSources({ macAddresses }: Attributes): Partial<MacvlanLink> {
  const found = (macAddresses ?? []) as readonly string[];
  return found.length === 0 ? {} : { source_addresses: [...found] };
}

function checkSources({ mode, source_addresses: addresses = [] }: MacvlanLink): Problems {
  const field = "macvlan.source_addresses";
  if (addresses.length > 0 && mode !== "SOURCE") {
    return [{ field, problem: `is set, but only mode SOURCE has any; mode is ${mode ?? "UNDEFINED"}` }];
  }
  return addresses.flatMap((text, position) =>
    MAC_ADDRESS.test(text) ? [] : [{ field: `${field}[${position}]`, problem: `is "${text}", expected a MAC address` }],
  );
}
