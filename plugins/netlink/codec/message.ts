import { align, type Reader, type Writer } from "./buffer.js";
import { NLM_F_REQUEST } from "./constants.js";

/** struct nlmsghdr: u32 length, u16 type, u16 flags, u32 sequence, u32 port. */
export const headerBytes = 16;

/** Starts a message. Returns the offset that `endMessage` needs. */
export function beginMessage(writer: Writer, type: number, flags: number, sequence: number): number {
  const start = writer.reserve(headerBytes);
  writer.view.setUint16(start + 4, type, true);
  writer.view.setUint16(start + 6, flags | NLM_F_REQUEST, true);
  writer.view.setUint32(start + 8, sequence, true);
  return start;
}

/** Fills in the length and pads to where the next message may start. */
export function endMessage(writer: Writer, start: number): void {
  writer.view.setUint32(start, writer.length - start, true);
  writer.pad();
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Offsets of the payload in the reader. */
  readonly start: number;
  readonly end: number;
}

/** The messages between two offsets. A message that runs over the end is not one: what is left is dropped. */
export function* messagesOf(reader: Reader, from: number, to: number): Generator<Message> {
  let offset = from;
  while (offset + headerBytes <= to) {
    const length = reader.view.getUint32(offset, true);
    if (length < headerBytes || offset + length > to) return;
    yield {
      type: reader.view.getUint16(offset + 4, true),
      flags: reader.view.getUint16(offset + 6, true),
      sequence: reader.view.getUint32(offset + 8, true),
      start: offset + headerBytes,
      end: offset + length,
    };
    offset += align(length);
  }
}
