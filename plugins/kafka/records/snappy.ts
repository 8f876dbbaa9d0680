import { RecordError } from "./byte-reader.js";
import type { GrowingBytes } from "./growing-bytes.js";

/** What the Java client puts before its blocks (xerial's `SnappyOutputStream`): a name, and two versions of four bytes. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = XERIAL.length + 8;

/** Decompresses one block, or the blocks of the Java client. Format: google/snappy, `format_description.txt`. */
export function decompressSnappy(source: Buffer, out: GrowingBytes): void {
  if (!source.subarray(0, XERIAL.length).equals(XERIAL)) {
    decompressBlock(source, out);
    return;
  }
  for (let at = XERIAL_HEADER; at < source.length; ) {
    const from = at + 4;
    const to = from > source.length ? Number.POSITIVE_INFINITY : from + source.readUInt32BE(at);
    if (to > source.length) throw cutShort();
    decompressBlock(source.subarray(from, to), out);
    at = to;
  }
}

function decompressBlock(source: Buffer, out: GrowingBytes): void {
  let at = 0;
  const next = (): number => {
    if (at >= source.length) throw cutShort();
    return source.readUInt8(at++);
  };
  const number = (bytes: number): number => {
    let value = 0;
    for (let index = 0; index < bytes; index += 1) value += next() * 2 ** (8 * index);
    return value;
  };
  const length = lengthBefore(next);
  const end = out.length + length;
  while (at < source.length) {
    const tag = next();
    const upper = tag >> 2;
    if ((tag & 3) === 0) {
      const literals = (upper < 60 ? upper : number(upper - 59)) + 1;
      if (at + literals > source.length) throw cutShort();
      out.append(source, at, at + literals);
      at += literals;
    } else if ((tag & 3) === 1) {
      const distance = next() | ((tag >> 5) << 8);
      out.repeat(distance, (upper & 7) + 4);
    } else {
      out.repeat(number((tag & 3) === 2 ? 2 : 4), upper + 1);
    }
    if (out.length > end) break;
  }
  if (out.length !== end) throw new RecordError("a Snappy block that is not as long as it says");
}

/** Before a block: how long it is when decompressed. */
function lengthBefore(next: () => number): number {
  let length = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = next();
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return length;
  }
  throw new RecordError("no Snappy block");
}

function cutShort(): RecordError {
  return new RecordError("a Snappy block that was cut short");
}
