import type { KafkaMessage } from "kafkajs";
import { COMPLETE_MARKER, EPOCH_RECORD, RESERVED_KEYS } from "#proto/kafka.js";
import { markerOf, type TopicCompleteMarker } from "./complete-marker.js";
import type { TopicFacts } from "./connection/topic-facts.js";
import type { Found, TopicPosition, TopicRecordSeen } from "./continuity.js";
import { recordOf } from "./epoch-record.js";
import type { ReadMessage } from "./message.js";
import { leadershipOf } from "./records/log-record.js";

/** The first reading of a compacted topic: from its beginning up to where it ended when the reading began. */
export class TopicReading {
  readonly facts: TopicFacts;
  private readonly before: TopicPosition | undefined;
  /** What is left to be read: the offset to reach, by partition. */
  private readonly ends: Map<number, bigint>;
  /** The last message of every key, tombstones too. */
  private readonly last = new Map<string, ReadMessage>();
  private readonly next = new Map<number, bigint>();
  private readonly leaderships = new Map<number, number>();
  private time = -1n;
  private rewritten = false;
  private record: TopicRecordSeen | undefined;
  private marker: TopicCompleteMarker | undefined;

  constructor(facts: TopicFacts, before: TopicPosition | undefined) {
    this.facts = facts;
    this.before = before;
    const readable = facts.partitions.filter(({ low, high }) => BigInt(low) < BigInt(high));
    this.ends = new Map(readable.map(({ partition, high }) => [partition, BigInt(high)]));
    for (const { partition, high } of facts.partitions) this.next.set(partition, BigInt(high));
  }

  get complete(): boolean {
    return this.ends.size === 0;
  }

  /** The last message of every key, tombstones too: what they delete was deleted, whatever else was lost. */
  get messages(): readonly ReadMessage[] {
    return [...this.last.values()];
  }

  get found(): Found {
    return { record: this.record, rewritten: this.rewritten };
  }

  /** Takes one message. A record that is no value is looked at here. */
  put(read: ReadMessage, partition: number): void {
    const { message } = read;
    this.see(message, partition);
    const key = message.key?.toString() ?? "";
    if (key === EPOCH_RECORD) this.record = recordOf(message);
    else if (key === COMPLETE_MARKER) this.marker = message.value === null ? undefined : markerOf(message, partition);
    if (!key.startsWith(RESERVED_KEYS)) this.last.set(key, read);
  }

  /** Everything up to `lastOffset` of a partition has been read. */
  reached(partition: number, lastOffset: string): void {
    const next = BigInt(lastOffset) + 1n;
    if (next > (this.next.get(partition) ?? 0n)) this.next.set(partition, next);
    const end = this.ends.get(partition);
    if (end !== undefined && next >= end) this.ends.delete(partition);
  }

  /**
   * Is there the word that these are all values, given after what was read before? One that says how many there are counts if that
   * can be: values that were overwritten, added or deleted since are there with a later offset.
   */
  isComplete(topic: string): boolean {
    const marker = this.marker;
    if (marker === undefined) return false;
    const before = this.before;
    const isSame = before !== undefined && before.topic === topic && before.id === (this.facts.id ?? "");
    const next = before?.partitions.find(({ partition }) => partition === marker.partition)?.next ?? "0";
    const isNews = before !== undefined && (!isSame || marker.offset >= BigInt(next));
    if (marker.values === undefined) return isNews;
    const { earlier, values, deleted } = this.counts(marker);
    const fits = earlier <= marker.values && values + deleted >= marker.values;
    return fits && (isNews || before === undefined);
  }

  private counts({ offset }: TopicCompleteMarker): {
    readonly earlier: number;
    readonly values: number;
    readonly deleted: number;
  } {
    let [earlier, values, deleted] = [0, 0, 0];
    for (const { message } of this.last.values()) {
      const isBehind = BigInt(message.offset) > offset;
      if (message.value === null) deleted += isBehind ? 1 : 0;
      else values += 1;
      if (message.value !== null && !isBehind) earlier += 1;
    }
    return { earlier, values, deleted };
  }

  /** Where the reading has come to, as part of a history that goes on or begins. */
  position(topic: string, epoch: string, count: number): TopicPosition {
    const partitions = this.facts.partitions.map(({ partition, low }) => {
      const next = String(this.next.get(partition) ?? 0n);
      return { partition, low, next, leadership: this.leaderships.get(partition) ?? -1 };
    });
    return { topic, id: this.facts.id ?? "", partitions, time: String(this.time), epoch, count };
  }

  private see(message: KafkaMessage, partition: number): void {
    const time = BigInt(message.timestamp);
    if (time > this.time) this.time = time;
    this.leaderships.set(partition, leadershipOf(message));
    const before = this.before;
    const next = before?.partitions.find((one) => one.partition === partition)?.next;
    if (before === undefined || next === undefined) return;
    if (BigInt(message.offset) < BigInt(next) && time > BigInt(before.time)) this.rewritten = true;
  }
}
