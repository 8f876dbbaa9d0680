import type { IHeaders } from "kafkajs";
import { errorMessage } from "#core/errors.js";
import { NotLoadedError } from "#core/lazily.js";
import { ByteReader, RecordError } from "./byte-reader.js";
import { crc32c } from "./checksum.js";
import { CODEC_MASK, decompress } from "./compression.js";
import type { Transactions } from "./decode.js";
import { entry, filler, type LogRecord, unreadable } from "./log-record.js";

/** Bits of a batch's attributes, beside the codec. */
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** The checksum is of everything behind itself. */
const CHECKSUM_AT = 17;
/** A record has at most so many headers. */
const MAX_HEADERS = 1_000;

export interface BatchContext {
  /** Records before this offset are left out. */
  readonly from: bigint;
  /** Where the log ends, or what follows begins. */
  readonly end: bigint;
  /** How many records may be kept; those behind are fetched again. */
  readonly room: number;
  readonly maxBytes: number;
}

interface BatchHeader {
  readonly base: bigint;
  readonly last: bigint;
  readonly attributes: number;
  readonly baseTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly producerId: bigint;
  readonly count: number;
}

/**
 * Keeps the records of one batch (magic 2: KIP-98, Kafka's documentation "Record Batch") that is whole. Returns how many
 * bytes they had. Throws {@link RecordError} when nothing of it can be read; a record that is bad by itself is kept as such.
 */
export async function decodeBatch(
  bytes: Buffer,
  context: BatchContext,
  transactions: Transactions,
  keep: (record: LogRecord) => void,
): Promise<number> {
  const reader = new ByteReader(bytes);
  const header = headerOf(reader, bytes);
  const { last, attributes, producerId, count } = header;
  if (last < context.from) throw new RecordError(`its last offset is ${last}, and ${context.from} was asked for`);
  if (last >= context.end)
    throw new RecordError(`its last offset is ${last}, and what follows begins at ${context.end}`);
  const aborted = transactions.isAborted(producerId, last);
  if ((attributes & CONTROL) !== 0) transactions.ended(producerId);
  const silent = (attributes & CONTROL) !== 0 || (aborted && (attributes & TRANSACTIONAL) !== 0);
  if (silent || (count === 0 && reader.remaining === 0)) {
    keep(filler(last));
    return 0;
  }
  const records = await plain(attributes, reader.rest(), context.maxBytes);
  new RecordsOfBatch(header, context, keep).read(new ByteReader(records));
  return records.length;
}

function headerOf(reader: ByteReader, bytes: Buffer): BatchHeader {
  const base = reader.int64();
  reader.bytes(CHECKSUM_AT - reader.at);
  if (reader.uint32() !== crc32c(bytes.subarray(CHECKSUM_AT + 4))) throw new RecordError("its checksum is wrong");
  const attributes = reader.int16();
  const last = base + BigInt(reader.int32());
  const baseTimestamp = reader.int64();
  const maxTimestamp = reader.int64();
  const producerId = reader.int64();
  // Epoch and first sequence number are for brokers.
  reader.bytes(6);
  const count = reader.int32();
  if (last < base || count < 0) throw new RecordError(`a batch of ${count} records from ${base} to ${last}`);
  return { base, last, attributes, baseTimestamp, maxTimestamp, producerId, count };
}

async function plain(attributes: number, records: Buffer, maxBytes: number): Promise<Buffer> {
  if ((attributes & CODEC_MASK) === 0) return records;
  try {
    return await decompress(attributes, records, maxBytes);
  } catch (error) {
    // Nothing is wrong with the record: it is read again.
    if (error instanceof NotLoadedError) throw error;
    throw new RecordError(`it cannot be decompressed: ${errorMessage(error)}`);
  }
}

/** Reads the records of a batch one after the other. */
class RecordsOfBatch {
  private readonly header: BatchHeader;
  private readonly context: BatchContext;
  private readonly keep: (record: LogRecord) => void;
  private kept = 0;
  /** Offset of the record before. */
  private before: bigint;

  constructor(header: BatchHeader, context: BatchContext, keep: (record: LogRecord) => void) {
    this.header = header;
    this.context = context;
    this.keep = keep;
    this.before = header.base - 1n;
  }

  read(reader: ByteReader): void {
    const { last, count } = this.header;
    for (let index = 0; index < count; index += 1) {
      if (this.kept >= this.context.room) return;
      const { at } = reader;
      try {
        this.readOne(reader.bytes(reader.varint()));
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        this.add(unreadable(error.message, this.next(), last, reader.since(at)), last);
        return;
      }
    }
    if (reader.remaining > 0) {
      const reason = `${reader.remaining} bytes behind the last record of a batch`;
      this.add(unreadable(reason, this.next(), last, reader.rest()), last);
    } else if (this.before < last) {
      this.add(filler(last), last);
    }
  }

  private readOne(bytes: Buffer): void {
    const { base } = this.header;
    // What is bad in one record is no reason to give up those behind it, as long as its length leads there.
    let offset = this.next();
    try {
      const reader = new ByteReader(bytes);
      reader.int8();
      const delta = reader.varlong();
      const claimed = base + BigInt(reader.varint());
      if (claimed < offset || claimed >= this.context.end) throw new RecordError(`its offset is ${claimed}`);
      offset = claimed;
      if (offset < this.context.from) this.before = offset;
      else this.add(recordOf(reader, offset, this.timestamp(delta)), offset);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.add(unreadable(error.message, offset, offset, bytes), offset);
    }
  }

  /** Offset of the next record, as far as that can be told. */
  private next(): bigint {
    const next = this.before + 1n;
    return next < this.context.end ? next : this.before;
  }

  private add(record: LogRecord, offset: bigint): void {
    this.before = offset;
    if (offset < this.context.from) return;
    this.kept += 1;
    this.keep(record);
  }

  private timestamp(delta: bigint): string {
    const { attributes, baseTimestamp, maxTimestamp } = this.header;
    return String((attributes & LOG_APPEND_TIME) !== 0 ? maxTimestamp : baseTimestamp + delta);
  }
}

function recordOf(reader: ByteReader, offset: bigint, timestamp: string): LogRecord {
  const key = reader.nullable(reader.varint());
  const value = reader.nullable(reader.varint());
  const headers = headersOf(reader);
  if (reader.remaining > 0) throw new RecordError(`${reader.remaining} bytes behind its headers`);
  return { ...entry(offset, key, value, timestamp), headers };
}

/** By name; several of one name as a list. One without a value is empty: kafkajs cannot send another on. */
function headersOf(reader: ByteReader): IHeaders {
  const count = reader.varint();
  if (count < 0 || count > MAX_HEADERS) throw new RecordError(`${count} headers`);
  const headers = new Map<string, Buffer | Buffer[]>();
  for (let index = 0; index < count; index += 1) {
    const name = reader.bytes(reader.varint()).toString();
    const value = reader.nullable(reader.varint()) ?? Buffer.alloc(0);
    const before = headers.get(name);
    if (Array.isArray(before)) before.push(value);
    else headers.set(name, before === undefined ? value : [before, value]);
  }
  return Object.fromEntries(headers);
}
