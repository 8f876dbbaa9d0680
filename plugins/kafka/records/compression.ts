import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { errorMessage } from "#core/errors.js";
import { lazily } from "#core/lazily.js";
import { RecordError } from "./byte-reader.js";
import { GrowingBytes } from "./growing-bytes.js";

/** Numbers in the lowest three bits of a batch's attributes. */
const CODECS = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export const CODEC_MASK = 0x07;

/** What is compressed is a few times as long when it is not. */
const USUAL_RATIO = 4;

/**
 * What was compressed by one of Kafka's codecs. Decompressors are loaded when they are needed first. Throws
 * {@link RecordError} for a codec that is not known, for what is no such data, and for more than `limit` bytes.
 */
export async function decompress(attributes: number, source: Buffer, limit: number): Promise<Buffer> {
  const codec = attributes & CODEC_MASK;
  switch (codec) {
    case CODECS.none:
      return source;
    case CODECS.gzip:
      return await decompressGzip(source, limit);
    case CODECS.snappy: {
      const { decompressSnappy } = await lazily(() => import("./snappy.js"));
      return by(decompressSnappy, source, limit);
    }
    case CODECS.lz4: {
      const { decompressLz4 } = await lazily(() => import("./lz4.js"));
      return by(decompressLz4, source, limit);
    }
    case CODECS.zstd:
      return await decompressZstd(source, limit);
    default:
      throw new RecordError(`it is compressed with codec ${codec}, which is not known`);
  }
}

function by(decompressor: (source: Buffer, out: GrowingBytes) => void, source: Buffer, limit: number): Buffer {
  const out = new GrowingBytes(limit, source.length * USUAL_RATIO);
  decompressor(source, out);
  return out.written();
}

async function decompressGzip(source: Buffer, limit: number): Promise<Buffer> {
  try {
    return await promisify(gunzip)(source, { maxOutputLength: limit });
  } catch (error) {
    throw new RecordError(`its gzip data cannot be read: ${errorMessage(error)}`);
  }
}

/** The decoder does not tell a room that is too small from bad data, so the room grows up to the limit. */
async function decompressZstd(source: Buffer, limit: number): Promise<Buffer> {
  const { ZSTDDecoder } = await lazily(() => import("zstddec"));
  const decoder = new ZSTDDecoder();
  await decoder.init();
  for (let room = Math.max(1_024, source.length * USUAL_RATIO); ; room *= 4) {
    const size = Math.min(limit, room);
    const { buffer, byteOffset, byteLength } = decoder.decode(source, size);
    if (byteLength > 0) return Buffer.from(buffer, byteOffset, byteLength);
    if (size === limit) throw new RecordError(`its zstd data cannot be read, or has more than ${limit} bytes`);
  }
}
