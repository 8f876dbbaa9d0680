import type { RecordBatchEntry } from "kafkajs";

/** A record as kafkajs hands it on, or what stands for something in the log that is none. */
export interface LogRecord extends RecordBatchEntry {
  /** kafkajs keeps those back; nothing is kept back here that moves the offset on. */
  readonly isControlRecord: false;
  /** Why this piece of the log cannot be read: the value has its bytes as they are in the log. */
  readonly unreadable?: string;
  /** Of a piece that cannot be read, and may be several records: where it begins. It ends at its offset. */
  readonly firstOffset?: string;
  /** Number of the leadership of the partition under which it was written; formats before Kafka 0.11 do not tell. */
  leadership?: number;
  /** Nothing to read, but the log goes on behind this offset. */
  readonly filler?: true;
}

export function filler(offset: bigint): LogRecord {
  return { ...entry(offset, null, null), filler: true };
}

export function unreadable(reason: string, first: bigint, last: bigint, bytes: Buffer): LogRecord {
  const what = first < last ? `the records ${first} to ${last} cannot be read` : "the record cannot be read";
  return { ...entry(last, null, bytes), unreadable: `${what}: ${reason}`, firstOffset: String(first) };
}

export function entry(offset: bigint, key: Buffer | null, value: Buffer | null, timestamp = "0"): LogRecord {
  return { key, value, timestamp, attributes: 0, offset: String(offset), headers: {}, isControlRecord: false };
}

/** Why a message that came from the log could not be read; `undefined` for one that could. */
export function unreadableReason(message: object): string | undefined {
  return "unreadable" in message && typeof message.unreadable === "string" ? message.unreadable : undefined;
}

/** Where a message, or what cannot be read of several, begins. */
export function firstOffsetOf(message: { readonly offset: string }): string {
  return "firstOffset" in message && typeof message.firstOffset === "string" ? message.firstOffset : message.offset;
}

/** The leadership under which a message was written; -1 when that is not known. */
export function leadershipOf(message: object): number {
  return "leadership" in message && typeof message.leadership === "number" ? message.leadership : -1;
}

export function isFiller(message: object): boolean {
  return "filler" in message;
}
