import { checkOther } from "../checks.js";
import { choice } from "../options.js";
import { KernelLinkType } from "./kernel-link.js";

/** enum ipvlan_mode, and IPVLAN_F_PRIVATE and IPVLAN_F_VEPA, of linux/if_link.h. */
const MODES = { L2: 0, L3: 1, L3S: 2 } as const;
const ISOLATIONS = { BRIDGE: 0, PRIVATE: 1, VEPA: 2 } as const;

/** Another IP address on a lower interface, under the same MAC address. All of one lower interface have the same mode. */
export const ipvlan = new KernelLinkType({
  type: "IPVLAN",
  field: "ipvlan",
  kinds: ["ipvlan"],
  movable: true,
  ownMtu: "lower",
  withoutMac: () => "an IPVLAN has the MAC address of its lower interface",
  lower: { field: "lower_interface" },
  options: { mode: choice("mode", MODES, { ours: true }), isolation: choice("flags", ISOLATIONS) },
  sharedWithLower: ({ lower_interface: lower = "", mode = "L2", isolation = "BRIDGE" }) => ({
    lower,
    text: `mode ${mode} and isolation ${isolation}`,
    field: "ipvlan.mode",
  }),
  validate: (part, { name }) => checkOther("ipvlan.lower_interface", part.lower_interface, name),
});
