import { SouthboundError } from "#core/errors.js";
import type { Interface } from "#proto/index.js";
import { hostNameOf } from "../host-name.js";
import type { LinkType } from "../link-type.js";
import { findForeignLink, foreignLink } from "./existing.js";

const VPP_NAME = "tap.vpp_tap_if_name";

/** The Linux side of a TAP that VPP makes. It is waited for and configured, never made or removed. */
export const tapToVpp: LinkType = {
  type: "TAP_TO_VPP",
  foreign: true,
  field: "tap",
  defaultHostName: (value) => vppName(value),

  validate: (value) =>
    vppName(value) === "" ? [{ field: VPP_NAME, problem: "is missing, expected the name of the TAP in VPP" }] : [],

  dependencies: (value, isWatched) => foreignLink(value, hostNameOf(value, tapToVpp), isWatched),

  async create(value, context) {
    const link = await findForeignLink(value, hostNameOf(value, tapToVpp), context);
    if (link.kind === "tun") return link;
    const message = `${link.name} is no TAP but ${link.kind === undefined ? "a device" : `a ${link.kind}`}`;
    throw new SouthboundError("EINVAL", message, { field: value.host_if_name ? "host_if_name" : VPP_NAME });
  },

  recreates: (before, after) =>
    hostNameOf(before, tapToVpp) !== hostNameOf(after, tapToVpp) || vppName(before) !== vppName(after),

  /** The kernel knows nothing of VPP. */
  decode: async (_found, _links, expected) => (expected?.tap === undefined ? {} : { tap: expected.tap }),
};

function vppName(value: Interface): string {
  return value.tap?.vpp_tap_if_name ?? "";
}
