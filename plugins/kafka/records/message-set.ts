import type { BatchContext } from "./batch.js";
import { ByteReader, RecordError } from "./byte-reader.js";
import { crc32 } from "./checksum.js";
import { CODEC_MASK, decompress } from "./compression.js";
import { entry, filler, type LogRecord } from "./log-record.js";

/** Bytes before a message: its offset, and its length. */
const ENTRY_HEADER = 12;
const LOG_APPEND_TIME = 0x08;

interface OldMessage {
  readonly offset: bigint;
  readonly magic: number;
  readonly attributes: number;
  readonly timestamp: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/**
 * The records of one message of the formats before Kafka 0.11 (magic 0 and 1; Kafka's documentation "Old Message Format"),
 * which topics that are old enough still have. A message that is compressed has others in its value. Throws {@link RecordError}.
 */
export async function decodeMessage(
  bytes: Buffer,
  { from, end, room, maxBytes }: BatchContext,
): Promise<{ readonly records: readonly LogRecord[]; readonly bytes: number }> {
  const outer = messageOf(bytes);
  if (outer.offset < from) throw new RecordError(`its offset is ${outer.offset}, and ${from} was asked for`);
  if (outer.offset >= end) throw new RecordError(`its offset is ${outer.offset}, and what follows begins at ${end}`);
  const records: LogRecord[] = [];
  const keep = ({ offset, timestamp, key, value }: OldMessage): void => {
    if (offset >= from && records.length < room) records.push(entry(offset, key, value, String(timestamp)));
  };
  if ((outer.attributes & CODEC_MASK) === 0) {
    keep(outer);
    return { records, bytes: bytes.length };
  }
  const inner = await decompress(outer.attributes, outer.value ?? Buffer.alloc(0), maxBytes);
  const messages = messagesIn(inner);
  // Of the second format the outer one has the offset of the last, and the inner ones count from 0.
  const shift = outer.magic === 0 ? 0n : outer.offset - (messages.at(-1)?.offset ?? 0n);
  const ofLog = (outer.attributes & LOG_APPEND_TIME) !== 0 ? { timestamp: outer.timestamp } : {};
  let before = from - 1n;
  for (const message of messages) {
    const offset = message.offset + shift;
    if (offset > outer.offset) throw new RecordError(`its offset is ${offset}`);
    if (offset > before) keep({ ...message, ...ofLog, offset });
    if (offset > before) before = offset;
  }
  if (records.length < room && before < outer.offset) records.push(filler(outer.offset));
  return { records, bytes: inner.length };
}

function messagesIn(set: Buffer): readonly OldMessage[] {
  const messages: OldMessage[] = [];
  for (let at = 0; at < set.length; ) {
    const reader = new ByteReader(set, at);
    reader.int64();
    const end = at + ENTRY_HEADER + reader.int32();
    if (end <= at + ENTRY_HEADER || end > set.length) throw new RecordError("a message that was cut short");
    const message = messageOf(set.subarray(at, end));
    if ((message.attributes & CODEC_MASK) !== 0) throw new RecordError("a compressed message in another one");
    messages.push(message);
    at = end;
  }
  return messages;
}

function messageOf(bytes: Buffer): OldMessage {
  const reader = new ByteReader(bytes);
  const offset = reader.int64();
  reader.int32();
  if (reader.uint32() !== crc32(bytes.subarray(reader.at))) throw new RecordError("its checksum is wrong");
  const magic = reader.int8();
  if (magic !== 0 && magic !== 1) throw new RecordError(`its format, ${magic}, is not known`);
  const attributes = reader.int8();
  const timestamp = magic === 1 ? reader.int64() : 0n;
  const key = reader.nullable(reader.int32());
  const value = reader.nullable(reader.int32());
  if (reader.remaining > 0) throw new RecordError(`${reader.remaining} bytes behind its value`);
  return { offset, magic, attributes, timestamp, key, value };
}
