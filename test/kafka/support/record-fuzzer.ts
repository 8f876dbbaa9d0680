/** Logs that are damaged in one place, by seed, and a reader that reads them as a consumer does: piece by piece from its offset on. */
import { decodeRecords } from "#plugins/kafka/records/decode.js";
import { unreadableReason } from "#plugins/kafka/records/log-record.js";
import { batch, CODEC, COMPRESSORS, CONTROL, type RecordToWrite, sign, TRANSACTIONAL } from "./log.js";

interface Entry {
  readonly bytes: Buffer;
  readonly base: number;
  readonly last: number;
}

export interface DamagedLog {
  readonly entries: readonly Entry[];
  readonly end: number;
  /** Offsets of records that have to be read, or told. */
  readonly offsets: readonly number[];
  readonly what: string;
}

/** Mulberry32: a number from 0 below `n`, the same for the same seed. */
function randomOf(seed: number): (n: number) => number {
  let state = seed * 0x9e3779b9;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
}

const CODECS = ["gzip", "snappy", "lz4", "zstd"] as const;

export function damagedLog(seed: number): DamagedLog {
  const random = randomOf(seed);
  const entries: Entry[] = [];
  const offsets: number[] = [];
  let base = random(3) * 10;
  for (let count = 2 + random(4); count > 0; count -= 1) {
    const codec = random(2) === 0 ? undefined : CODECS[random(CODECS.length)];
    const records = Array.from({ length: 1 + random(5) }, () => recordBy(random));
    const gap = random(4) === 0 ? random(4) : 0;
    const lastDelta = records.length - 1 + gap;
    const attributes = codec === undefined ? 0 : CODEC[codec];
    const bytes = batch({ base, records, lastDelta, attributes, ...(codec && { compress: COMPRESSORS[codec] }) });
    entries.push({ bytes, base, last: base + lastDelta });
    for (let index = 0; index < records.length; index += 1) offsets.push(base + index);
    base += lastDelta + 1 + (random(4) === 0 ? random(5) : 0);
  }
  const end = (entries.at(-1)?.last ?? 0) + 1;
  const damaged = random(entries.length);
  const what = damage(entries[damaged]!, damaged === 0, random);
  // Records that lie, under a checksum that fits, may be read as others: there only those of other batches count.
  // Where a batch begins, beside the checksum, tells where the one before ends.
  const { base: from } = entries[what.startsWith("base") ? damaged - 1 : damaged]!;
  const { last: to } = entries[damaged]!;
  const certain = offsets.filter((offset) => !/signed|attributes|base/.test(what) || offset < from || offset > to);
  return { entries, end, offsets: certain, what };
}

function recordBy(random: (n: number) => number): RecordToWrite {
  const noise = (size: number): Buffer => Buffer.from(Array.from({ length: random(size) }, () => random(256)));
  const optional = (size: number): Buffer | null => (random(4) === 0 ? null : noise(size));
  const headers = Array.from({ length: random(4) }, () => [noise(8), optional(20)] as const);
  return { key: optional(20), value: optional(random(30) === 0 ? 5_000 : 60), headers };
}

/** Where a batch's header has what; what is behind 61 are its records. */
const FIELDS = { base: 0, length: 8, magic: 16, checksum: 17, attributes: 21, lastDelta: 23, count: 57 } as const;
const INTERESTING = [0, 1, -1, 2, 48, 49, 127, 0x7fffffff, -0x80000000];

/** In one place, with or without a checksum that fits. */
function damage({ bytes }: Entry, isFirst: boolean, random: (n: number) => number): string {
  const interesting = INTERESTING[random(INTERESTING.length)] ?? 0;
  // Where the first one begins nothing else tells.
  const fields = Object.keys(FIELDS).filter((field) => !isFirst || field !== "base");
  const kinds = ["nothing", "records", "bits", "records signed", "bits signed", "attributes", ...fields];
  const kind = kinds[random(kinds.length)] ?? "nothing";
  const inRecords = (): number => Math.min(bytes.length - 1, 61 + random(Math.max(1, bytes.length - 61)));
  if (kind.startsWith("records")) bytes.fill(random(256), inRecords());
  if (kind.startsWith("bits")) {
    for (let left = 1 + random(4); left > 0; left -= 1) {
      const at = inRecords();
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random(8)), at);
    }
  }
  if (kind === "base") bytes.writeBigInt64BE(BigInt(interesting), FIELDS.base);
  else if (kind === "magic") bytes.writeInt8(random(256) - 128, FIELDS.magic);
  // A mark of a transaction, or a part of one, is not read: that is no damage.
  else if (kind === "attributes")
    bytes.writeInt16BE(random(65_536) & ~CONTROL & ~TRANSACTIONAL & 0x7fff, FIELDS.attributes);
  else if (kind in FIELDS) bytes.writeInt32BE(interesting, FIELDS[kind as keyof typeof FIELDS]);
  if (kind.endsWith("signed") || ["attributes", "count", "lastDelta"].includes(kind)) sign(bytes);
  return `${kind} ${interesting}`;
}

/** Reads from the first offset on until the end. Returns what was neither read nor told. */
export async function readWhole({
  entries,
  end,
  offsets,
}: DamagedLog): Promise<{ readonly missing: readonly number[]; readonly reached: number }> {
  const seen = new Set<number>();
  let from = entries[0]?.base ?? 0;
  for (let fetches = 0; from < end && fetches < 1_000; fetches += 1) {
    const behind = entries.filter(({ last }) => last >= from);
    const log = Buffer.concat(behind.map(({ bytes }) => bytes));
    const records = await decodeRecords(log, { from: BigInt(from), end: BigInt(end), aborted: [] });
    for (const record of records) {
      const first = unreadableReason(record) === undefined ? record.offset : (record.firstOffset ?? record.offset);
      for (let offset = Number(first); offset <= Number(record.offset); offset += 1) seen.add(offset);
    }
    from = Number(records.at(-1)?.offset ?? from - 1) + 1;
  }
  return { missing: offsets.filter((offset) => !seen.has(offset)), reached: from };
}
