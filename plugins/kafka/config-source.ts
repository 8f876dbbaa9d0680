import { randomBytes } from "node:crypto";
import type { AgentInfo } from "#core/agent/types.js";
import {
  type Absence,
  type ConfigConsumer,
  type ConfigSource,
  type EventPublisher,
  type SourceItem,
  storedPosition,
} from "#core/northbound/index.js";
import { COMPLETE_MARKER, EPOCH_RECORD, HEADERS, RESERVED_KEYS, topicFor } from "#proto/kafka.js";
import type { BusContext } from "./connection/context.js";
import type { BusProducer } from "./connection/producer.js";
import { ConsumerSupervisor, type TopicBatch } from "./connection/supervisor.js";
import type { TopicFacts } from "./connection/topic-facts.js";
import { gapSince, positionSchema, type TopicPosition } from "./continuity.js";
import type { Origins } from "./dead-letters.js";
import { newEpoch, recordOf, TopicEpochRecords } from "./epoch-record.js";
import { headerOf, originOf, originText, type ReadMessage } from "./message.js";
import { TopicReading } from "./reading.js";
import { leadershipOf, unreadableReason } from "./records/log-record.js";

const NO_KEY = "a message without a key: the key says which value is meant";
/** A consumer of the desired state begins where its group, which is new, begins: at the first record. */
const FROM_THE_START: ReadonlyMap<number, string> = new Map();

export interface SourceContext extends BusContext {
  readonly agent: AgentInfo;
  readonly publisher: EventPublisher;
  readonly producer: BusProducer;
  readonly origins: Origins;
}

/**
 * Desired state from the compacted topic `tenuto.<label>.config`: read from the beginning to the end for a snapshot, then
 * followed. Each consumer reads it anew: it is the size of one host's configuration, and a consumer that was away may have
 * missed tombstones that are compacted away by now. The orchestrator applies only what a snapshot changes.
 *
 * Each consumer has a group of its own name, which never commits an offset and is gone with it: kafkajs assigns no
 * partitions without a group, and in one with a fixed name a new consumer would wait for the session of a dead one to end.
 *
 * What a snapshot lacks was deleted only if the topic is proven to be the same and to have gone on from where it was read
 * before (see `continuity.ts`); that is looked at whenever it is read anew: after every interruption, and when the topic or a leader
 * is another one ({@link TopicWatch}). Otherwise the snapshot says that its absences mean nothing, and why.
 */
export class KafkaConfigSource implements ConfigSource {
  readonly name = "kafka";
  readonly priority = 50;
  private readonly context: SourceContext;
  private readonly topic: string;
  private readonly records: TopicEpochRecords;
  private supervisor: ConsumerSupervisor | undefined;
  private reading: TopicReading | undefined;
  private position: TopicPosition | undefined;

  constructor(context: SourceContext) {
    this.context = context;
    this.topic = topicFor(context.config.topics.config, context.agent.label);
    this.records = new TopicEpochRecords(this.topic, context.producer, context.log);
  }

  /** Returns at once. */
  start(consumer: ConfigConsumer): void {
    if (this.context.config.brokers === "") return;
    this.supervisor = new ConsumerSupervisor(this.context, {
      part: "desired state",
      topic: { topic: this.topic, policy: "compact", shared: false },
      mindsLeaders: true,
      group: () => `${this.topic}.${randomBytes(6).toString("hex")}`,
      prepare: (_, facts) => this.begin(facts, consumer),
      take: (batch) => this.take(batch, consumer),
    });
    this.supervisor.start();
  }

  /** Waits for what the orchestrator has in hand, up to `drain_timeout`. */
  async close(): Promise<void> {
    this.records.stop();
    await this.supervisor?.close();
  }

  private async begin(facts: TopicFacts, consumer: ConfigConsumer): Promise<ReadonlyMap<number, string>> {
    this.context.conditions.fine("lost values");
    this.records.stop();
    this.position = undefined;
    this.reading = new TopicReading(facts, storedPosition(positionSchema, consumer.position));
    if (this.reading.complete) await this.snapshot(this.reading, consumer);
    return FROM_THE_START;
  }

  /** Not more than one batch is in memory: the next one is fetched when the agent has dealt with this one. */
  private async take(batch: TopicBatch, consumer: ConfigConsumer): Promise<void> {
    const { topic, partition } = batch;
    const good: ReadMessage[] = [];
    for (const message of batch.messages) {
      const read = { origin: originOf(topic, partition, message), message };
      const unreadable = unreadableReason(message);
      if (unreadable !== undefined) await this.lost(read, unreadable);
      else if (message.key === null) await this.refuse(read, NO_KEY);
      else good.push(read);
    }
    const reading = this.reading;
    if (reading === undefined) {
      await this.changes(good, batch, consumer);
    } else {
      for (const read of good) reading.put(read, partition);
      reading.reached(partition, batch.lastOffset);
      if (reading.complete) await this.snapshot(reading, consumer);
    }
    if (!batch.signal.aborted) batch.resolve(batch.lastOffset);
  }

  /** The topic has been read as a whole. */
  private async snapshot(reading: TopicReading, consumer: ConfigConsumer): Promise<void> {
    const { topics, log, config } = this.context;
    const before = storedPosition(positionSchema, consumer.position);
    const { facts, found } = reading;
    const gap = await gapSince(before, this.topic, facts, topics.policyOf(this.topic), found);
    const goesOn = gap === undefined && before !== undefined;
    const count = goesOn ? (found.record?.count ?? 0) : 0;
    const position = reading.position(this.topic, goesOn && before.epoch !== "" ? before.epoch : newEpoch(), count);
    if (gap !== undefined && before !== undefined) log.warn({ missing: config.missing }, gap);
    const absence = this.absence(reading, gap);
    await this.deliver(reading.messages, (items) => consumer.snapshot(items, absence, position));
    this.reading = undefined;
    this.position = position;
    const isProven = goesOn && found.record !== undefined && isSame(before, position);
    if (!isProven && position.partitions.some(({ next }) => next !== "0")) this.prove(position);
  }

  private absence(reading: TopicReading, gap: string | undefined): Absence {
    if (reading.isComplete(this.topic)) return { kind: "complete" };
    if (gap === undefined || this.context.config.missing === "remove") return { kind: "continuous" };
    return { kind: "unknown", reason: gap };
  }

  /** What was written since the topic was read as a whole. */
  private async changes(reads: readonly ReadMessage[], batch: TopicBatch, consumer: ConfigConsumer): Promise<void> {
    const position = this.position;
    if (position === undefined) return;
    const last = new Map<string, ReadMessage>();
    for (const read of reads) {
      const key = read.message.key?.toString() ?? "";
      if (key === COMPLETE_MARKER && read.message.value !== null) {
        // What comes before it is part of what is complete, so it is not taken for read yet.
        batch.again(`topic ${this.topic} is said to be complete`);
        return;
      }
      if (key === EPOCH_RECORD) this.recorded(read, position);
      if (!key.startsWith(RESERVED_KEYS)) last.set(key, read);
    }
    const moved = movedOn(position, reads, batch);
    const messages = [...last.values()];
    await this.deliver(messages, (items) => consumer.change(items, moved));
    this.position = moved;
    if (messages.length > 0) this.prove(moved);
  }

  private recorded({ message }: ReadMessage, position: TopicPosition): void {
    const seen = recordOf(message);
    const isOurs = seen?.epoch === position.epoch;
    if (isOurs) position.count = Math.max(position.count, seen.count);
    if (isOurs || message.value === null) return;
    position.count = 0;
    this.records.stop();
    this.context.log.warn({ topic: this.topic }, `somebody else writes ${EPOCH_RECORD}: another agent of this label?`);
  }

  /** What was read is stored: a record in the topic shows it. */
  private prove({ epoch, count }: TopicPosition): void {
    this.records.write({ epoch, count: count + 1 });
  }

  private async deliver(
    messages: readonly ReadMessage[],
    deliver: (items: readonly SourceItem[]) => Promise<unknown>,
  ): Promise<void> {
    await this.context.origins.during(messages, () => deliver(messages.map(itemOf)));
  }

  /** A value that is not known, and neither is its key: what was asked for before stays, and may not be what is asked for now. */
  private async lost(read: ReadMessage, error: string): Promise<void> {
    const reason = `${this.topic}: ${error}; see ${this.context.config.topics.dead_letter}`;
    this.context.conditions.impaired("lost values", reason);
    await this.refuse(read, error);
  }

  /** A message that can mean nothing by itself; any other is judged by the orchestrator. */
  private async refuse(read: ReadMessage, error: string): Promise<void> {
    const { origins, publisher, log } = this.context;
    log.warn({ ...read.origin }, error);
    const origin = originText(read.origin);
    const data = { key: "", origin, error, payload: "" };
    await origins.during([read], () => publisher.publish({ kind: "deadletter", origin, data }));
  }
}

/** Was nothing read that had not been read before? */
function isSame(before: TopicPosition, { partitions }: TopicPosition): boolean {
  return partitions.every(({ partition, next }) =>
    before.partitions.some((one) => one.partition === partition && one.next === next),
  );
}

/** The position behind a batch. */
function movedOn(
  position: TopicPosition,
  reads: readonly ReadMessage[],
  { partition, lastOffset }: TopicBatch,
): TopicPosition {
  const last = reads.at(-1);
  const next = String(BigInt(lastOffset) + 1n);
  const time = reads.reduce((most, { message }) => max(most, BigInt(message.timestamp)), BigInt(position.time));
  const partitions = position.partitions.map((one) => {
    if (one.partition !== partition) return one;
    return { ...one, next, leadership: last === undefined ? one.leadership : leadershipOf(last.message) };
  });
  return { ...position, partitions, time: String(time) };
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function itemOf({ origin, message }: ReadMessage): SourceItem {
  const contentType = headerOf(message, HEADERS.contentType);
  return {
    key: message.key?.toString() ?? "",
    value: message.value ?? undefined,
    origin: originText(origin),
    ...(contentType === "" ? {} : { contentType }),
  };
}
