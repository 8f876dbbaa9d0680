import { randomUUID } from "node:crypto";
import type { KafkaMessage } from "kafkajs";
import type { Logger } from "#core/logging/types.js";
import { EPOCH_RECORD } from "#proto/kafka.js";
import { protocolError } from "./connection/failure.js";
import type { BusProducer } from "./connection/producer.js";
import type { TopicRecordSeen } from "./continuity.js";

/** A record is written at most so often, ms. */
const INTERVAL = 2_000;
/** Without the right to write it, ms until the next try. */
const REFUSED = 10 * 60_000;

export function recordOf({ value }: KafkaMessage): TopicRecordSeen | undefined {
  if (value === null) return undefined;
  try {
    const said: unknown = JSON.parse(value.toString());
    if (typeof said !== "object" || said === null || !("epoch" in said) || !("count" in said)) return undefined;
    const { epoch, count } = said;
    return typeof epoch === "string" && typeof count === "number" ? { epoch, count } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A history of the topic begins: whatever came before cannot be compared with it. */
export function newEpoch(): string {
  return randomUUID();
}

/**
 * Writes the record `tenuto/epoch` after what was read was stored, with a number that grows. It is what shows later that the topic has
 * gone on from there, and was not set back and written to again: compaction keeps the last one.
 */
export class TopicEpochRecords {
  private readonly topic: string;
  private readonly producer: BusProducer;
  private readonly log: Logger;
  private timer: NodeJS.Timeout | undefined;
  private next = 0;
  private writable = true;
  private record: TopicRecordSeen | undefined;
  private stopped = false;

  constructor(topic: string, producer: BusProducer, log: Logger) {
    this.topic = topic;
    this.producer = producer;
    this.log = log;
  }

  /** Writes this record as soon as one may be written; a later call replaces one that waits. */
  write(record: TopicRecordSeen): void {
    this.record = record;
    this.stopped = false;
    this.timer ??= setTimeout(() => void this.writeRecord(), Math.max(0, this.next - Date.now())).unref();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async writeRecord(): Promise<void> {
    this.timer = undefined;
    this.next = Date.now() + INTERVAL;
    const value = Buffer.from(JSON.stringify(this.record));
    try {
      await this.producer.tryOnce([{ topic: this.topic, key: EPOCH_RECORD, value, headers: {} }]);
      this.writable = true;
    } catch (error) {
      if (!protocolError(error).endsWith("AUTHORIZATION_FAILED")) {
        // Whatever keeps it from being written now is seen to by whoever needs the bus.
        if (this.record !== undefined && !this.stopped) this.write(this.record);
        return;
      }
      this.next = Date.now() + REFUSED;
      const what = `${EPOCH_RECORD} cannot be written to ${this.topic}: what vanishes from it while the agent is away is proven with less`;
      if (this.writable) this.log.info({ err: error }, what);
      this.writable = false;
    }
  }
}
