/** What producers write, byte by byte, so that a test can write what none would. */
import { gzipSync } from "node:zlib";
import { crc32c } from "#plugins/kafka/records/checksum.js";

export interface RecordToWrite {
  readonly key?: string | Buffer | null;
  readonly value?: string | Buffer | null;
  readonly headers?: readonly (readonly [name: string | Buffer, value: string | Buffer | null])[];
  /** Instead of all of it: what is behind the length. */
  readonly raw?: Buffer;
}

export interface BatchToWrite {
  readonly base?: number;
  readonly attributes?: number;
  readonly producerId?: bigint;
  readonly records: readonly RecordToWrite[];
  /** What it says of how many there are. */
  readonly count?: number;
  readonly lastDelta?: number;
  /** Of the records, which are plain without. */
  readonly compress?: (records: Buffer) => Buffer;
}

export const CODEC = { gzip: 1, snappy: 2, lz4: 3, zstd: 4, unknown: 6 } as const;
export const TRANSACTIONAL = 0x10;
export const CONTROL = 0x20;

export function batch({
  base = 0,
  attributes = 0,
  producerId = -1n,
  records,
  compress,
  ...says
}: BatchToWrite): Buffer {
  const plain = Buffer.concat(records.map(recordBytes));
  const behind = Buffer.concat([Buffer.alloc(40), compress?.(plain) ?? plain]);
  behind.writeInt16BE(attributes, 0);
  behind.writeInt32BE(says.lastDelta ?? Math.max(0, records.length - 1), 2);
  behind.writeBigInt64BE(1_000n, 6);
  behind.writeBigInt64BE(1_000n, 14);
  behind.writeBigInt64BE(producerId, 22);
  behind.writeInt16BE(producerId === -1n ? -1 : 0, 30);
  behind.writeInt32BE(producerId === -1n ? -1 : 0, 32);
  behind.writeInt32BE(says.count ?? records.length, 36);
  const head = Buffer.alloc(21);
  head.writeBigInt64BE(BigInt(base), 0);
  head.writeInt32BE(9 + behind.length, 8);
  head.writeInt32BE(0, 12);
  head.writeInt8(2, 16);
  const bytes = Buffer.concat([head, behind]);
  sign(bytes);
  return bytes;
}

/** Makes the checksum right, after whatever was done to the batch. */
export function sign(bytes: Buffer): void {
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
}

/** The end of a transaction. */
export function transactionEnd(base: number, producerId: bigint, committed: boolean): Buffer {
  const key = Buffer.from([0, 0, 0, committed ? 1 : 0]);
  return batch({ base, producerId, attributes: TRANSACTIONAL | CONTROL, records: [{ key, value: Buffer.alloc(6) }] });
}

function recordBytes({ key = null, value = null, headers = [], raw }: RecordToWrite, delta: number): Buffer {
  const body =
    raw ??
    Buffer.concat([
      Buffer.from([0]),
      varint(0),
      varint(delta),
      sized(key),
      sized(value),
      varint(headers.length),
      ...headers.flatMap(([name, text]) => [sized(name), sized(text)]),
    ]);
  return Buffer.concat([varint(body.length), body]);
}

function sized(text: string | Buffer | null): Buffer {
  if (text === null) return varint(-1);
  const bytes = Buffer.from(text);
  return Buffer.concat([varint(bytes.length), bytes]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return Buffer.from([...bytes, left]);
}

/** Compressors that compress next to nothing, but for what is a bomb. */
export const COMPRESSORS = {
  gzip: (bytes: Buffer) => gzipSync(bytes),
  snappy: (bytes: Buffer) => Buffer.concat([unsigned(bytes.length), ...pieces(bytes, 60).flatMap(literal)]),
  lz4: (bytes: Buffer) => {
    const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    const blocks = pieces(bytes, 65_536).flatMap((piece) => [little(piece.length + 0x80000000), piece]);
    return Buffer.concat([header, ...blocks, little(0)]);
  },
  zstd: (bytes: Buffer) => {
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
    const blocks = pieces(bytes, 65_536).flatMap((piece) => [little(piece.length << 3).subarray(0, 3), piece]);
    // The last block is an empty one.
    return Buffer.concat([header, ...blocks, Buffer.from([1, 0, 0])]);
  },
} as const;

/** About as many zero bytes as a megabyte of each codec can hold. */
export const BOMBS: Record<keyof typeof COMPRESSORS, () => Buffer> = {
  gzip: () => gzipSync(Buffer.alloc(100 * 1024 * 1024)),
  // Copies of 64 bytes, three bytes each.
  snappy: () =>
    Buffer.concat([unsigned(20_000_000), Buffer.from([0, 0]), Buffer.alloc(900_000, Buffer.from([0xfe, 1, 0]))]),
  // One match, and 255 bytes more of it for every byte.
  lz4: () => {
    const block = Buffer.concat([Buffer.from([0x1f, 0, 1, 0]), Buffer.alloc(900_000, 255), Buffer.from([0])]);
    const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    return Buffer.concat([header, little(block.length), block, little(0)]);
  },
  // Blocks of 128 KiB that repeat one byte.
  zstd: () => {
    const block = Buffer.concat([little(((128 * 1024) << 3) | 2).subarray(0, 3), Buffer.from([0])]);
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
    return Buffer.concat([header, Buffer.alloc(2_000 * block.length, block), Buffer.from([1, 0, 0])]);
  },
};

function pieces(bytes: Buffer, size: number): readonly Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

function literal(piece: Buffer): readonly Buffer[] {
  return [Buffer.from([(piece.length - 1) << 2]), piece];
}

function little(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

function unsigned(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Buffer.from([...bytes, left]);
}
