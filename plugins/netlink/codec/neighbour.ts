import type { Neighbour } from "../types.js";
import { AttributeTable } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { NUD_PERMANENT } from "./constants.js";
import { addressBytes, familyOf } from "./prefix.js";
import { present } from "./present.js";
import { ip, linkAddress, u8, u32 } from "./scalars.js";

/** struct ndmsg: u8 family, pad, u16 pad, s32 link index, u16 state, u8 flags, u8 type. */
export const neighbourHeaderBytes = 12;

export const neighbourTable = new AttributeTable(
  "neighbour",
  { address: [1, ip], linkAddress: [2, linkAddress], linkIndex: [8, u32], protocol: [12, u8] },
  [3, 4], // NDA_CACHEINFO, NDA_PROBES: ages and counters
);

export function writeNeighbourHeader(writer: Writer, family: number, linkIndex = 0, state = 0, flags = 0): void {
  const at = writer.reserve(neighbourHeaderBytes);
  writer.view.setUint8(at, family);
  writer.view.setInt32(at + 4, linkIndex, true);
  writer.view.setUint16(at + 8, state, true);
  writer.view.setUint8(at + 10, flags);
}

export function encodeNeighbour(writer: Writer, neighbour: Neighbour): void {
  const family = familyOf(neighbour.address, "address");
  writeNeighbourHeader(writer, family, neighbour.linkIndex, neighbour.state ?? NUD_PERMANENT, neighbour.flags);
  const { address, linkAddress, protocol } = neighbour;
  neighbourTable.encode(writer, { address, linkAddress, protocol }, neighbour.unknown);
}

/** `undefined` for what is no IP neighbour (bridges report their forwarding entries the same way). */
export function decodeNeighbour(reader: Reader, start: number, end: number): Neighbour | undefined {
  requireHeader("neighbour", start, end, neighbourHeaderBytes);
  const { view } = reader;
  if (addressBytes(view.getUint8(start)) === 0) return undefined;
  const unknown = new Map<number, Uint8Array>();
  const values = neighbourTable.decode(reader, start + neighbourHeaderBytes, end, unknown);
  if (values.address === undefined) return undefined;
  return {
    linkIndex: view.getInt32(start + 4, true),
    address: values.address,
    state: view.getUint16(start + 8, true),
    flags: view.getUint8(start + 10),
    ...present("linkAddress", values.linkAddress),
    ...present("protocol", values.protocol),
    ...(unknown.size > 0 ? { unknown } : {}),
  };
}
