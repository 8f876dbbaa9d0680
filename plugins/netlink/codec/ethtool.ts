import { AttributeTable, list, nested } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { genericHeaderBytes, writeGenericHeader } from "./generic.js";
import { flag, string, u32 } from "./scalars.js";

/** The family `ethtool`, linux/ethtool_netlink.h: the speed and the offloads (features) of a link. */

const ETHTOOL_MSG_LINKMODES_GET = 4;
const ETHTOOL_MSG_FEATURES_GET = 11;
const ETHTOOL_MSG_FEATURES_SET = 12;
/** ETHTOOL_FLAG_OMIT_REPLY */
const WITHOUT_REPLY = 2;
const VERSION = 1;
/** SPEED_UNKNOWN of linux/ethtool.h. */
const SPEED_UNKNOWN = 0xffff_ffff;

const headerTable = new AttributeTable("ethtool header", { linkIndex: [1, u32], flags: [3, u32] });
const bitTable = new AttributeTable("feature", { name: [2, string], value: [3, flag] }, [1]);
/** ETHTOOL_A_BITSET_*, in its form with names. Without `listed` a bit has a value; with it, what is listed is on. */
const bitsetTable = new AttributeTable("features", { listed: [1, flag], bits: [3, list(nested(bitTable), 1)] }, [2]);
const featuresTable = new AttributeTable(
  "features of a link",
  { header: [1, nested(headerTable)], wanted: [3, nested(bitsetTable)], active: [4, nested(bitsetTable)] },
  [2, 5],
);

const linkModesTable = new AttributeTable(
  "modes of a link",
  { header: [1, nested(headerTable)], speed: [5, u32] },
  [2, 3, 4, 6, 7, 8, 9, 10],
);

/** Offloads of a link by the kernel's names (net/ethtool/common.c, netdev_features_strings). */
export interface LinkFeatures {
  readonly linkIndex: number;
  readonly features: Readonly<Record<string, boolean>>;
}

export function encodeFeatureQuery(writer: Writer, linkIndex: number): void {
  writeGenericHeader(writer, ETHTOOL_MSG_FEATURES_GET, VERSION);
  featuresTable.encode(writer, { header: { linkIndex } });
}

export function encodeFeatures(writer: Writer, { linkIndex, features }: LinkFeatures): void {
  writeGenericHeader(writer, ETHTOOL_MSG_FEATURES_SET, VERSION);
  const bits = Object.entries(features).map(([name, on]) => ({ name, value: on || undefined }));
  featuresTable.encode(writer, { header: { linkIndex, flags: WITHOUT_REPLY }, wanted: { bits } });
}

/** Names of the features that are in force. */
export function decodeFeatures(reader: Reader, start: number, end: number): ReadonlySet<string> {
  requireHeader("link's offloads", start, end, genericHeaderBytes);
  const { active } = featuresTable.decode(reader, start + genericHeaderBytes, end);
  const on = (active?.bits ?? []).filter(({ value }) => active?.listed === true || value === true);
  return new Set(on.flatMap(({ name }) => name ?? []));
}

export function encodeLinkModesQuery(writer: Writer, linkIndex: number): void {
  writeGenericHeader(writer, ETHTOOL_MSG_LINKMODES_GET, VERSION);
  linkModesTable.encode(writer, { header: { linkIndex } });
}

/** Mbit/s; 0 when the driver does not know it. */
export function decodeSpeed(reader: Reader, start: number, end: number): number {
  requireHeader("link's speed", start, end, genericHeaderBytes);
  const { speed = SPEED_UNKNOWN } = linkModesTable.decode(reader, start + genericHeaderBytes, end);
  return speed === SPEED_UNKNOWN ? 0 : speed;
}
