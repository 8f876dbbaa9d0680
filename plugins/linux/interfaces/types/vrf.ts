import { SouthboundError } from "#core/errors.js";
import type { Link } from "#plugins/netlink/index.js";
import type { Interface } from "#proto/index.js";
import { namespaceText } from "../../namespaces/index.js";
import { checkNumber } from "../checks.js";
import type { LinkContext } from "../link-type.js";
import { number } from "../options.js";
import { KernelLinkType } from "./kernel-link.js";

/** RT_TABLE_LOCAL and RT_TABLE_MAIN of linux/rtnetlink.h, which are everybody's. */
const SHARED_TABLES = new Map([
  [254, "the main table"],
  [255, "the table of local addresses"],
]);

/** A VRF: a routing table of its own for the interfaces that belong to it. */
export const vrf = new KernelLinkType({
  type: "VRF_DEVICE",
  field: "vrf_dev",
  kinds: ["vrf"],
  outsideVrfs: true,
  options: { routing_table: number("table", { fixed: true }) },

  validate({ routing_table: table }) {
    const field = "vrf_dev.routing_table";
    const shared = SHARED_TABLES.get(table ?? 0);
    if (shared !== undefined) return [{ field, problem: `is ${table}, ${shared}, which no VRF can have for itself` }];
    return checkNumber(field, table || undefined, 1, 0xffffffff);
  },

  finish: checkTableIsFree,
});

/**
 * The kernel lets several VRFs share a table, and then leaks routes from one into the other. Of two that are made at the same
 * moment, the one with the lower index stays.
 */
async function checkTableIsFree(value: Interface, link: Link, { handle, marker }: LinkContext): Promise<void> {
  const table = value.vrf_dev?.routing_table;
  const others = await handle.linkList({ kind: "vrf" });
  const owner = others.find((other) => other.data?.table === table && other.index < link.index);
  if (owner === undefined) return;
  const who = marker.nameIn(owner.alias) ?? `${owner.name}, which is not ours`;
  const message = `routing table ${table} belongs to VRF ${who} in ${namespaceText(value.namespace)} already`;
  throw new SouthboundError("EEXIST", message, { field: "vrf_dev.routing_table" });
}
