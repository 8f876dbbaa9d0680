import { hostNameOf } from "../host-name.js";
import type { LinkType } from "../link-type.js";
import { removeLink } from "../links.js";
import { makeLink } from "../make-link.js";
import { ETHERNET_MTU } from "./kernel-link.js";

/** A link that is up and drops every packet. */
export const dummy: LinkType = {
  type: "DUMMY",
  kinds: ["dummy"],
  movable: true,
  defaultMtu: async () => ETHERNET_MTU,

  create: (value, context) => makeLink(value, hostNameOf(value, dummy), { kind: "dummy" }, context),

  remove: (_value, index, { handle }) => removeLink(handle, index),
};
