import { randomBytes } from "node:crypto";
import type { Admin } from "kafkajs";
import type { AgentInfo } from "#core/agent/types.js";
import type { ConfigConsumer, ConfigSource, EventPublisher, SourceItem } from "#core/northbound/index.js";
import { HEADERS, topicFor } from "#proto/kafka.js";
import type { BusContext } from "./connection/context.js";
import { ConsumerSupervisor, type TopicBatch } from "./connection/supervisor.js";
import type { Origins } from "./dead-letters.js";
import { headerOf, originOf, originText, type ReadMessage } from "./message.js";
import { Reading } from "./reading.js";
import { unreadableReason } from "./records/log-record.js";

const NO_KEY = "a message without a key: the key says which value is meant";

export interface SourceContext extends BusContext {
  readonly agent: AgentInfo;
  readonly publisher: EventPublisher;
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
 * A topic without a single message says nothing: a broker that lost its data, or one that is new, must not take a host's
 * network away. What was asked for before stays.
 */
export class KafkaConfigSource implements ConfigSource {
  readonly name = "kafka";
  readonly priority = 50;
  readonly #context: SourceContext;
  readonly #topic: string;
  #consumer: ConfigConsumer | undefined;
  #supervisor: ConsumerSupervisor | undefined;
  #reading: Reading | undefined;

  constructor(context: SourceContext) {
    this.#context = context;
    this.#topic = topicFor(context.config.topics.config, context.agent.label);
  }

  /** Returns at once. */
  start(consumer: ConfigConsumer): void {
    if (this.#context.config.brokers === "") return;
    this.#consumer = consumer;
    this.#supervisor = new ConsumerSupervisor(this.#context, {
      part: "desired state",
      topic: { topic: this.#topic, policy: "compact", shared: false },
      group: () => `${this.#topic}.${randomBytes(6).toString("hex")}`,
      prepare: (admin) => this.#begin(admin),
      take: (batch) => this.#take(batch),
    });
    this.#supervisor.start();
  }

  /** Waits for what the orchestrator has in hand, up to `drain_timeout`. */
  async close(): Promise<void> {
    await this.#supervisor?.close();
  }

  async #begin(admin: Admin): Promise<void> {
    this.#context.conditions.fine("lost values");
    this.#reading = new Reading(await admin.fetchTopicOffsets(this.#topic));
    if (!this.#reading.empty) return;
    this.#reading = undefined;
    this.#context.log.info("the topic of the desired state is empty; what was asked for before, if anything, stays");
  }

  /** Not more than one batch is in memory: the next one is fetched when the agent has dealt with this one. */
  async #take(batch: TopicBatch): Promise<void> {
    const { topic, partition } = batch;
    const last = new Map<string, ReadMessage>();
    for (const message of batch.messages) {
      const read = { origin: originOf(topic, partition, message), message };
      const unreadable = unreadableReason(message);
      if (unreadable !== undefined) await this.#lost(read, unreadable);
      else if (message.key === null) await this.#refuse(read, NO_KEY);
      else last.set(message.key.toString(), read);
    }
    const reading = this.#reading;
    if (reading === undefined) {
      await this.#deliver([...last.values()], (consumer, items) => consumer.change(items));
    } else {
      for (const [key, read] of last) reading.put(key, read);
      reading.reached(partition, batch.lastOffset);
      if (reading.complete) {
        await this.#deliver(reading.messages, (consumer, items) => consumer.snapshot(items, { kind: "continuous" }));
        this.#reading = undefined;
      }
    }
    if (!batch.signal.aborted) batch.resolve(batch.lastOffset);
  }

  async #deliver(
    messages: readonly ReadMessage[],
    deliver: (consumer: ConfigConsumer, items: readonly SourceItem[]) => Promise<unknown>,
  ): Promise<void> {
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    await this.#context.origins.during(messages, () => deliver(consumer, messages.map(itemOf)));
  }

  /** A value that is not known, and neither is its key: what was asked for before stays, and may not be what is asked for now. */
  async #lost(read: ReadMessage, error: string): Promise<void> {
    const reason = `${this.#topic}: ${error}; see ${this.#context.config.topics.dead_letter}`;
    this.#context.conditions.impaired("lost values", reason);
    await this.#refuse(read, error);
  }

  /** A message that can mean nothing by itself; any other is judged by the orchestrator. */
  async #refuse(read: ReadMessage, error: string): Promise<void> {
    const { origins, publisher, log } = this.#context;
    log.warn({ ...read.origin }, error);
    const origin = originText(read.origin);
    const data = { key: "", origin, error, payload: "" };
    await origins.during([read], () => publisher.publish({ kind: "deadletter", origin, data }));
  }
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
