import { AttributeTable } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { string, u16 } from "./scalars.js";

/** Generic netlink, linux/genetlink.h: families share a protocol, and the message type is the family's number. */

/** struct genlmsghdr: u8 command, u8 version, u16 reserved. */
export const genericHeaderBytes = 4;

/** GENL_ID_CTRL: the family that knows the others. */
export const CONTROL_FAMILY = 0x10;
const CTRL_CMD_GETFAMILY = 3;

const familyTable = new AttributeTable("generic netlink family", { id: [1, u16], name: [2, string] });

export function writeGenericHeader(writer: Writer, command: number, version: number): void {
  const at = writer.reserve(genericHeaderBytes);
  writer.view.setUint8(at, command);
  writer.view.setUint8(at + 1, version);
}

/** A request for the number of a family. */
export function encodeFamilyQuery(writer: Writer, name: string): void {
  writeGenericHeader(writer, CTRL_CMD_GETFAMILY, 1);
  familyTable.encode(writer, { name });
}

export function decodeFamily(reader: Reader, start: number, end: number): number | undefined {
  requireHeader("generic netlink family", start, end, genericHeaderBytes);
  return familyTable.decode(reader, start + genericHeaderBytes, end).id;
}
