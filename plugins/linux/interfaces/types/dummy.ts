import { hostNameOf } from "../host-name.js";
import type { LinkType } from "../link-type.js";
import { removeLink } from "../links.js";
import { makeLink } from "../make-link.js";

/** A link that is up and drops every packet. */
export const dummy: LinkType = {
  type: "DUMMY",
  kinds: ["dummy"],
  movable: true,

  create: (value, context) => makeLink(value, hostNameOf(value, dummy), { kind: "dummy" }, context),

  remove: (_value, index, { handle }) => removeLink(handle, index),
};
