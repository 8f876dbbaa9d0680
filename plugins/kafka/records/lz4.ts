import { RecordError } from "./byte-reader.js";
import type { GrowingBytes } from "./growing-bytes.js";

/** Format: lz4's "LZ4 Frame Format Description" and "LZ4 Block Format Description". */
const FRAME = 0x184d2204;
const HAS_CONTENT_SIZE = 0x08;
const HAS_DICTIONARY = 0x01;
const HAS_BLOCK_CHECKSUMS = 0x10;
const UNCOMPRESSED = 0x80000000;
/** A match is at least this long. */
const MIN_MATCH = 4;

/**
 * Decompresses one frame. Its checksums are not looked at: the batch has one of its own, and clients before Kafka 0.10 got
 * that of the frame's header wrong.
 */
export function decompressLz4(source: Buffer, out: GrowingBytes): void {
  if (source.length < 7 || source.readUInt32LE(0) !== FRAME) throw new RecordError("no LZ4 frame");
  const flags = source.readUInt8(4);
  if (flags >> 6 !== 1) throw new RecordError(`an LZ4 frame of version ${flags >> 6}`);
  if (flags & HAS_DICTIONARY) throw new RecordError("an LZ4 frame with a dictionary");
  let at = 7 + (flags & HAS_CONTENT_SIZE ? 8 : 0);
  const behindBlock = flags & HAS_BLOCK_CHECKSUMS ? 4 : 0;
  for (;;) {
    if (at + 4 > source.length) throw new RecordError("an LZ4 frame that was cut short");
    const size = source.readUInt32LE(at);
    if (size === 0) return;
    const from = at + 4;
    const to = from + (size & ~UNCOMPRESSED);
    if (to > source.length) throw new RecordError("an LZ4 block that was cut short");
    if (size >= UNCOMPRESSED) out.append(source, from, to);
    else decompressBlock(source, from, to, out);
    at = to + behindBlock;
  }
}

function decompressBlock(source: Buffer, from: number, to: number, out: GrowingBytes): void {
  let at = from;
  const next = (): number => {
    if (at >= to) throw new RecordError("an LZ4 block that was cut short");
    return source.readUInt8(at++);
  };
  const longer = (length: number): number => {
    if (length !== 15) return length;
    let sum = length;
    for (;;) {
      const byte = next();
      sum += byte;
      if (byte !== 255) return sum;
    }
  };
  while (at < to) {
    const token = next();
    const literals = longer(token >> 4);
    if (at + literals > to) throw new RecordError("an LZ4 block that was cut short");
    out.append(source, at, at + literals);
    at += literals;
    // The last sequence has literals only.
    if (at === to) return;
    const distance = next() | (next() << 8);
    out.repeat(distance, longer(token & 15) + MIN_MATCH);
  }
}
