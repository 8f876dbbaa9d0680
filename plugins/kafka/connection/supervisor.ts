import type { Admin, Consumer, EachBatchPayload, Kafka, KafkaMessage } from "kafkajs";
import { BusError } from "#core/errors.js";
import { Backoff, pause } from "#core/northbound/backoff.js";
import type { KafkaConfig } from "../config.js";
import { isFiller } from "../records/log-record.js";
import { ConsumerWatch } from "./consumer-watch.js";
import type { BusContext, KafkaPart } from "./context.js";
import { kafkaFailure } from "./failure.js";
import { factsOf, type TopicFacts } from "./topic-facts.js";
import { TopicWatch } from "./topic-watch.js";
import type { TopicSpec } from "./topics.js";

/** Messages of one partition, in order. */
export interface TopicBatch {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly KafkaMessage[];
  /** Offset of the last of them, those included that only the protocol sees; there may be no others. */
  readonly lastOffset: string;
  /** Aborts when the consumer has lost its place: what is done from then on is done again by its successor. */
  readonly signal: AbortSignal;
  /** The consumer is about to stop, in peace or not: no other message should be begun. */
  stopping(): boolean;
  /** The message is dealt with as far as this consumer is concerned: it goes on behind it. */
  resolve(offset: string): void;
  /** Makes the group go on at this offset also after a restart. Throws when the consumer is not in the group any more. */
  commit(next: string): Promise<void>;
  /** The topic has to be read anew, by another consumer: this one is over. */
  again(reason: string): void;
}

/** The topic is to be read anew, which is nothing to complain about. */
export class ReadAgain extends BusError {
  constructor(reason: string) {
    super("READ_AGAIN", reason);
  }
}

/** Who reads a topic, and what is done with it. */
export interface TopicReader {
  readonly part: KafkaPart;
  readonly topic: TopicSpec;
  /** Group of the next consumer. */
  group(): string;
  /**
   * Before a new consumer joins; the topic is there. Returns where it has to begin, by partition, if that is not where its group is.
   */
  prepare(admin: Admin, facts: TopicFacts): Promise<ReadonlyMap<number, string>>;
  /** Has everything to be looked at again when a partition has another leader, which may lack something? */
  readonly mindsLeaders: boolean;
  /** What is stored with every offset of the group. */
  metadata?(): string;
  /** The consumer has partitions to read. */
  joined?(): void;
  take(batch: TopicBatch): Promise<void>;
}

/** Most that one fetch brings into memory, unless a single message is larger, bytes. */
const MAX_FETCH_BYTES = 8 * 1024 * 1024;

/**
 * Keeps one consumer on a topic, for ever. A consumer that crashed, stopped, was thrown out of its group or has gone silent
 * is noticed within seconds ({@link ConsumerWatch}) and replaced by a new one after a pause with backoff and jitter.
 */
export class ConsumerSupervisor {
  private readonly context: BusContext;
  private readonly reader: TopicReader;
  private readonly closing = new AbortController();
  private running: Promise<void> | undefined;

  constructor(context: BusContext, reader: TopicReader) {
    this.context = context;
    this.reader = reader;
  }

  /** Returns at once. */
  start(): void {
    this.context.conditions.impaired(this.reader.part, "not connected to Kafka yet");
    this.running ??= this.run();
  }

  /** Lets the reader finish the message it is at, up to `drain_timeout`, and leaves the group. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { config, conditions, log } = this.context;
    const backoff = new Backoff(config.reconnect_min, config.reconnect_max);
    const closing = this.closing.signal;
    while (!closing.aborted) {
      const since = performance.now();
      try {
        await this.live();
      } catch (error) {
        const reason = kafkaFailure(error, config);
        if (error instanceof ReadAgain) log.info(reason);
        else if (!closing.aborted && conditions.impaired(this.reader.part, reason)) log.warn({ err: error }, reason);
      }
      if (performance.now() - since > config.reconnect_max) backoff.reset();
      await backoff.wait(closing);
    }
  }

  /** The life of one consumer; throws what ended it. Returns when the supervisor closes. */
  private async live(): Promise<void> {
    const { client, topics, config } = this.context;
    const reader = this.reader;
    const kafka = await client.open();
    const wires = client.wiresOf(kafka);
    const { facts, begin } = await client.withAdmin(kafka, async (admin) => {
      await topics.ensure(admin, [reader.topic]);
      const known = await factsOf(admin, wires, reader.topic.topic);
      return { facts: known, begin: await reader.prepare(admin, known) };
    });
    const consumer = consumerOf(kafka, reader.group(), config);
    const lost = new AbortController();
    const watch = this.watch(consumer, begin);
    const topic = new TopicWatch(wires, reader.topic.topic, facts, reader.mindsLeaders, (reason) =>
      watch.end(new ReadAgain(reason)),
    );
    topic.start(config.topic_check);
    const closing = aborted(this.closing.signal, lost.signal);
    const begun = this.begin(consumer, watch, lost);
    try {
      await Promise.race([begun, closing]);
      const reason = await Promise.race([watch.ended, closing]);
      if (reason !== undefined) throw reason;
    } catch (error) {
      lost.abort();
      throw error;
    } finally {
      watch.close();
      topic.stop();
      await this.leave(consumer, begun);
      lost.abort();
    }
  }

  private async begin(consumer: Consumer, watch: ConsumerWatch, lost: AbortController): Promise<void> {
    await consumer.connect();
    await consumer.subscribe({ topic: this.reader.topic.topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => watch.during(() => this.take(payload, watch, lost)),
    });
  }

  private watch(consumer: Consumer, begin: ReadonlyMap<number, string>): ConsumerWatch {
    const { config, conditions, log } = this.context;
    const reader = this.reader;
    const { part, topic } = reader;
    const left = new Map(begin);
    const limits = { stall: config.stall_timeout, join: config.rebalance_timeout + config.request_timeout };
    return new ConsumerWatch(consumer, topic.topic, limits, {
      joined: (partitions) => {
        if (partitions.length === 0) {
          const reason = `another agent with the same label reads ${topic.topic}`;
          if (conditions.impaired(part, reason)) log.warn(reason);
          return;
        }
        // Only once: when the group is joined again, its offsets are those of this consumer.
        for (const partition of partitions) {
          const offset = left.get(partition);
          if (offset !== undefined) consumer.seek({ topic: topic.topic, partition, offset });
          left.delete(partition);
        }
        if (conditions.fine(part)) log.info({ topic: topic.topic, partitions }, "reading a topic of Kafka");
        reader.joined?.();
      },
    });
  }

  private async take(payload: EachBatchPayload, watch: ConsumerWatch, lost: AbortController): Promise<void> {
    if (lost.signal.aborted) return;
    const { batch } = payload;
    const metadata = this.reader.metadata?.() ?? null;
    const { topic, partition } = batch;
    const ended = new AbortController();
    const end = (): void => ended.abort();
    lost.signal.addEventListener("abort", end);
    let failure: Error | undefined;
    // kafkajs sends heartbeats between batches only, and an answer may take longer than a session lasts.
    const heart = setInterval(() => {
      payload.heartbeat().catch((error: Error) => {
        failure ??= error;
        ended.abort();
      });
    }, this.context.config.heartbeat_interval / 2);
    try {
      await this.reader.take({
        topic,
        partition,
        messages: batch.messages.filter((message) => !isFiller(message)),
        lastOffset: batch.lastOffset(),
        signal: ended.signal,
        stopping: () => ended.signal.aborted || !payload.isRunning() || payload.isStale(),
        resolve: (offset) => payload.resolveOffset(offset),
        commit: (next) =>
          payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [committed(partition, next, metadata)] }] }),
        again: (reason) => watch.end(new ReadAgain(reason)),
      });
    } finally {
      clearInterval(heart);
      lost.signal.removeEventListener("abort", end);
    }
    if (failure !== undefined) throw failure;
  }

  /**
   * A broker that hangs must not keep us. A consumer that is still on its way into its group leaves when it is there: kafkajs
   * would go on in spite of being told to stop, and connect anew.
   */
  private async leave(consumer: Consumer, begun: Promise<void>): Promise<void> {
    const { config, log } = this.context;
    const enough = new AbortController();
    const left = begun
      .catch(() => undefined)
      .then(() => consumer.disconnect())
      .catch((error: unknown) => log.debug({ err: error }, "a consumer ended badly"));
    await Promise.race([left, pause(config.drain_timeout, enough.signal)]);
    enough.abort();
  }
}

/** kafkajs sends metadata on, and has no type for it. */
function committed(partition: number, offset: string, metadata: string | null): { partition: number; offset: string } {
  return Object.assign({ partition, offset }, { metadata });
}

function consumerOf(kafka: Kafka, groupId: string, config: KafkaConfig): Consumer {
  return kafka.consumer({
    groupId,
    sessionTimeout: config.session_timeout,
    rebalanceTimeout: config.rebalance_timeout,
    heartbeatInterval: config.heartbeat_interval,
    maxWaitTimeInMs: config.fetch_wait,
    maxBytes: MAX_FETCH_BYTES,
    // All that there is of a large transaction in parts, not one part after the other.
    maxBytesPerPartition: MAX_FETCH_BYTES,
    allowAutoTopicCreation: false,
    // A failure that kafkajs cannot ride out in a second ends the consumer; a new one begins with fresh credentials.
    retry: { retries: 2, restartOnFailure: async () => false },
  });
}

/** Resolves when `signal` aborts, and listens for that until `enough` does. */
function aborted(signal: AbortSignal, enough: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true, signal: enough });
  });
}
