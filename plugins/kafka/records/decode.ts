import { setImmediate } from "node:timers/promises";
import { errorMessage } from "#core/errors.js";
import { NotLoadedError } from "#core/lazily.js";
import { decodeBatch } from "./batch.js";
import { RecordError } from "./byte-reader.js";
import { filler, type LogRecord, unreadable } from "./log-record.js";
import { decodeMessage } from "./message-set.js";

/** Bytes of one batch when decompressed. A broker takes batches of 1 MB that are compressed, if nothing else is set. */
export const MAX_BATCH_BYTES = 32 * 1024 * 1024;
/** Of all batches that are looked at before others may run. */
const MAX_BYTES_AT_ONCE = 32 * 1024 * 1024;
/** Records, each of which may be very small, that one fetch brings. */
export const MAX_RECORDS_AT_ONCE = 20_000;

/** Offset and length before every batch, and before every message of the formats before them. */
const ENTRY_HEADER = 12;
const MAGIC_AT = 16;
const LAST_DELTA_AT = 23;
const LEADERSHIP_AT = 12;
/** A batch without records has these bytes behind its length, a message of old 14. */
const MIN_BATCH = 49;
const MIN_MESSAGE = 14;

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

export interface Fetched {
  /** From which offset on: a batch comes whole, also when only its end was asked for. */
  readonly from: bigint;
  /** Where the log ends, as its broker says. */
  readonly end: bigint;
  readonly aborted: readonly AbortedTransaction[];
}

/**
 * The records in a piece of a partition's log, in order: those of aborted transactions left out, and what cannot be read as
 * one record that says why and has the bytes. Whatever is in the log, the last record that is returned has an offset at
 * which the log goes on, and there is one unless the log has ended; that is the promise that keeps a topic from standing still.
 *
 * Not everything has to be returned at once: the rest is fetched again. Rejects with `NotLoadedError` when a decompressor cannot be
 * loaded now: what is not the record's fault is no reason to pass it by.
 */
export async function decodeRecords(log: Buffer, fetched: Fetched): Promise<LogRecord[]> {
  const decoder = new LogDecoder(log, fetched);
  for (let at: number | undefined = 0; at !== undefined; ) {
    at = await decoder.decodeAt(at);
    if (at !== undefined) await setImmediate();
  }
  return decoder.finished();
}

class LogDecoder {
  private readonly log: Buffer;
  private readonly fetched: Fetched;
  private readonly transactions: Transactions;
  private readonly records: LogRecord[] = [];
  /** Offset of the next record that has not been seen. */
  private next: bigint;
  private decompressed = 0;

  constructor(log: Buffer, fetched: Fetched) {
    this.log = log;
    this.fetched = fetched;
    this.transactions = new Transactions(fetched.aborted);
    this.next = fetched.from;
  }

  /** Decodes the entry that begins here. Returns where the next one does, or `undefined` when that was enough. */
  async decodeAt(at: number): Promise<number | undefined> {
    const found = entryAt(this.log, at);
    if (found === undefined) {
      // Brokers cut the last one off where the answer has its largest size, but never the first.
      if (at === 0 && this.log.length > 0) this.giveUp(at, this.log, new RecordError("its header makes no sense"));
      return undefined;
    }
    const { base, end, magic } = found;
    const bytes = this.log.subarray(at, end);
    try {
      // Only the first may begin before what was asked for. A checksum does not cover where a batch begins.
      if (at > 0 && base < this.next) throw new RecordError(`it begins at ${base}, behind which the log is already`);
      this.decompressed += await this.decodeEntry(bytes, magic, this.following(end) ?? this.fetched.end);
    } catch (error) {
      if (error instanceof NotLoadedError) throw error;
      this.giveUp(at, bytes, error);
    }
    const reached = this.records.at(-1)?.offset;
    if (reached !== undefined) this.next = BigInt(reached) + 1n;
    const enough = this.records.length >= MAX_RECORDS_AT_ONCE || this.decompressed >= MAX_BYTES_AT_ONCE;
    return enough || end >= this.log.length ? undefined : end;
  }

  finished(): LogRecord[] {
    const { from } = this.fetched;
    const last = this.records.at(-1);
    const goesOn = last !== undefined && BigInt(last.offset) >= from;
    if (this.log.length > 0 && !goesOn) this.records.push(filler(from));
    return this.records;
  }

  /** Returns how many bytes it had when decompressed. */
  private async decodeEntry(bytes: Buffer, magic: number, end: bigint): Promise<number> {
    const context = {
      from: this.next,
      end,
      room: MAX_RECORDS_AT_ONCE - this.records.length,
      maxBytes: MAX_BATCH_BYTES,
    };
    if (magic === 2) {
      const leadership = bytes.readInt32BE(LEADERSHIP_AT);
      return await decodeBatch(bytes, context, this.transactions, (record) => {
        record.leadership = leadership;
        this.records.push(record);
      });
    }
    if (magic !== 0 && magic !== 1) throw new RecordError(`its format, ${magic}, is not known`);
    const decoded = await decodeMessage(bytes, context);
    for (const record of decoded.records) this.records.push(record);
    return decoded.bytes;
  }

  /** The first offset of what begins here, if that can be: a checksum does not cover it. */
  private following(at: number): bigint | undefined {
    const following = entryAt(this.log, at);
    return following !== undefined && following.base > this.next && following.base <= this.fetched.end
      ? following.base
      : undefined;
  }

  /** An entry of which nothing can be read. Where it ends, the next one says; or its header, if that can be. */
  private giveUp(at: number, bytes: Buffer, error: unknown): void {
    const { end } = this.fetched;
    const next = this.next;
    // Behind the end there is nothing that could be lost, and what will be written there must not be passed by.
    if (next >= end) return;
    const base = this.log.length - at < 8 ? next : this.log.readBigInt64BE(at);
    const following = this.following(at + bytes.length);
    const last = following === undefined ? guessedEnd(this.log, at, next, end) : following - 1n;
    const first = base < last && base >= next ? base : next;
    this.records.push(unreadable(errorMessage(error), first, last, bytes));
  }
}

interface Entry {
  readonly base: bigint;
  /** Where the next entry begins. */
  readonly end: number;
  readonly magic: number;
}

/** The batch, or message of old, that begins here; `undefined` when there is none, or not all of it. */
function entryAt(log: Buffer, at: number): Entry | undefined {
  if (log.length - at <= MAGIC_AT) return undefined;
  const length = log.readInt32BE(at + 8);
  const magic = log.readInt8(at + MAGIC_AT);
  const end = at + ENTRY_HEADER + length;
  if (length < (magic < 2 ? MIN_MESSAGE : MIN_BATCH) || end > log.length) return undefined;
  return { base: log.readBigInt64BE(at), end, magic };
}

/** The last offset of an entry that cannot be read: as its header says where that can be, else the next one to read. */
function guessedEnd(log: Buffer, at: number, next: bigint, end: bigint): bigint {
  if (log.length < at + LAST_DELTA_AT + 4) return next;
  const last = log.readBigInt64BE(at) + BigInt(log.readInt32BE(at + LAST_DELTA_AT));
  return last >= next && last < end ? last : next;
}

/** Which producers' transactions, among those that were aborted, the reading is in. */
export class Transactions {
  private readonly coming: AbortedTransaction[];
  private readonly aborted = new Set<bigint>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.coming = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  }

  /** Is what this producer wrote in a transaction, up to this offset, to be left out? */
  isAborted(producerId: bigint, lastOffset: bigint): boolean {
    while (this.coming[0] !== undefined && this.coming[0].firstOffset <= lastOffset) {
      const begun = this.coming.shift();
      if (begun !== undefined) this.aborted.add(begun.producerId);
    }
    return this.aborted.has(producerId);
  }

  /** A producer's transaction ends here. */
  ended(producerId: bigint): void {
    this.aborted.delete(producerId);
  }
}
