import { AttributeTable } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { s32, u32 } from "./scalars.js";

/** struct rtgenmsg, padded. */
const headerBytes = 4;
const NETNSA_NSID_NOT_ASSIGNED = -1;

/** linux/net_namespace.h */
export const namespaceIdTable = new AttributeTable("namespace id", { id: [1, s32], pid: [2, u32], fd: [3, u32] });

/** Asks for the id of the namespace that `fd` holds open. */
export function encodeNamespaceIdQuery(writer: Writer, fd: number): void {
  writer.reserve(headerBytes);
  namespaceIdTable.encode(writer, { fd });
}

/** `undefined` when the namespace that was asked has no id for the other. */
export function decodeNamespaceId(reader: Reader, start: number, end: number): number | undefined {
  requireHeader("namespace id", start, end, headerBytes);
  const { id } = namespaceIdTable.decode(reader, start + headerBytes, end);
  return id === NETNSA_NSID_NOT_ASSIGNED ? undefined : id;
}
