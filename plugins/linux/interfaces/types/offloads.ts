import { SouthboundError } from "#core/errors.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import type { VethLink, VethLinkChecksumOffloading } from "#proto/index.js";

/** Checksum offloads of a link by the fields that ask for them; net/ethtool/common.c has the kernel's names. */
const FEATURES = {
  rx_checksum_offloading: ["rx-checksum"],
  tx_checksum_offloading: ["tx-checksum-ip-generic", "tx-checksum-sctp"],
} as const;

type OffloadField = keyof typeof FEATURES;
const FIELDS = Object.keys(FEATURES) as OffloadField[];

/** The fields that do not leave their offload to the kernel. */
function chosen(part: VethLink | undefined): readonly OffloadField[] {
  return FIELDS.filter((field) => (part?.[field] ?? "DEFAULT") !== "DEFAULT");
}

/**
 * Switches what `after` chooses on or off, where `before` did not already, and on what it does not choose any more: that is what the
 * kernel makes a pair with. Throws when the driver does not obey.
 */
export async function setOffloads(
  handle: NamespaceHandle,
  index: number,
  before: VethLink | undefined,
  after: VethLink | undefined,
): Promise<void> {
  const either = new Set([...chosen(before), ...chosen(after)]);
  const fields = [...either].filter((field) => before?.[field] !== after?.[field]);
  if (fields.length === 0) return;
  const features = fields.flatMap((field) =>
    FEATURES[field].map((name) => ({ field, name, on: after?.[field] !== "DISABLED" })),
  );
  await handle.featureSet(index, Object.fromEntries(features.map(({ name, on }) => [name, on])));
  const active = await handle.featureList(index);
  const refused = features.find(({ name, on }) => active.has(name) !== on);
  if (refused === undefined) return;
  const message = `the driver keeps ${refused.name} ${refused.on ? "off" : "on"}`;
  throw new SouthboundError("EOPNOTSUPP", message, { field: `veth.${refused.field}` });
}

/** The offloads that `expected` chooses, as they are: one that is neither wholly on nor wholly off is not as it should be. */
export async function readOffloads(
  handle: NamespaceHandle,
  index: number,
  expected: VethLink | undefined,
): Promise<Partial<VethLink>> {
  const fields = chosen(expected);
  if (fields.length === 0) return {};
  const active = await handle.featureList(index);
  const state = (field: OffloadField): VethLinkChecksumOffloading => {
    const on = FEATURES[field].filter((name) => active.has(name)).length;
    if (on === 0) return "DISABLED";
    return on === FEATURES[field].length || expected?.[field] === "DISABLED" ? "ENABLED" : "DISABLED";
  };
  return Object.fromEntries(fields.map((field) => [field, state(field)]));
}

export function sameOffloads(a: VethLink | undefined, b: VethLink | undefined): boolean {
  return FIELDS.every((field) => (a?.[field] ?? "DEFAULT") === (b?.[field] ?? "DEFAULT"));
}
