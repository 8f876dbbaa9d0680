import { SouthboundError } from "#core/errors.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import type { VethLink, VethLinkChecksumOffloading } from "#proto/index.js";

/** Checksum offloads of a link by the fields that ask for them; net/ethtool/common.c has the kernel's names. */
const FEATURES = {
  rx_checksum_offloading: "rx-checksum",
  tx_checksum_offloading: "tx-checksum-ip-generic",
} as const;

type OffloadField = keyof typeof FEATURES;
const FIELDS = Object.keys(FEATURES) as OffloadField[];

/** The fields that do not leave their offload to the kernel. */
function chosen(part: VethLink | undefined): readonly OffloadField[] {
  return FIELDS.filter((field) => (part?.[field] ?? "DEFAULT") !== "DEFAULT");
}

/** Switches what `after` chooses on or off, where `before` did not already. Throws when the driver does not obey. */
export async function setOffloads(
  handle: NamespaceHandle,
  index: number,
  before: VethLink | undefined,
  after: VethLink | undefined,
): Promise<void> {
  const fields = chosen(after).filter((field) => before?.[field] !== after?.[field]);
  if (fields.length === 0) return;
  const wanted = Object.fromEntries(fields.map((field) => [FEATURES[field], after?.[field] === "ENABLED"]));
  await handle.featureSet(index, wanted);
  const active = await handle.featureList(index);
  const refused = fields.find((field) => active.has(FEATURES[field]) !== wanted[FEATURES[field]]);
  if (refused === undefined) return;
  const message = `the driver keeps ${FEATURES[refused]} ${wanted[FEATURES[refused]] ? "off" : "on"}`;
  throw new SouthboundError("EOPNOTSUPP", message, { field: `veth.${refused}` });
}

/** The offloads that `expected` chooses, as they are. */
export async function readOffloads(
  handle: NamespaceHandle,
  index: number,
  expected: VethLink | undefined,
): Promise<Partial<VethLink>> {
  const fields = chosen(expected);
  if (fields.length === 0) return {};
  const active = await handle.featureList(index);
  const state = (field: OffloadField): VethLinkChecksumOffloading =>
    active.has(FEATURES[field]) ? "ENABLED" : "DISABLED";
  return Object.fromEntries(fields.map((field) => [field, state(field)]));
}

export function sameOffloads(a: VethLink | undefined, b: VethLink | undefined): boolean {
  return chosen(b).every((field) => a?.[field] === b?.[field]);
}
