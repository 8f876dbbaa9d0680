import type { AgentInfo } from "#core/agent/types.js";
import { errorMessage } from "#core/errors.js";
import { pause } from "#core/northbound/backoff.js";
import { EventQueue } from "#core/northbound/event-queue.js";
import type { EventEnvelope, EventPublisher, StateSink } from "#core/northbound/index.js";
import { Wake } from "#core/northbound/wake.js";
import type { BusContext } from "./connection/context.js";
import { type BusProducer, type OutgoingRecord, sizeOf } from "./connection/producer.js";
import { deadLetter, type Origins } from "./dead-letters.js";
import { eventRecords } from "./event-records.js";
import type { ReadMessage } from "./message.js";

export interface SinkContext extends BusContext {
  readonly agent: AgentInfo;
  readonly publisher: EventPublisher;
  readonly producer: BusProducer;
  readonly origins: Origins;
}

/**
 * Publishes events: interface states on a compacted topic, which keeps the last one of each, all others on the event topic,
 * and dead letters as they came on a topic of their own. Several leave together and in order, one request at a time. While
 * the bus is away events wait in bounded memory; when it is back, every interface's current state is published first.
 */
export class KafkaStateSink implements StateSink {
  readonly name = "kafka";
  private readonly context: SinkContext;
  private readonly queue: EventQueue;
  private readonly wake = new Wake();
  private readonly closing = new AbortController();
  /** Messages that dead-letter events in the queue are about. */
  private readonly letters = new WeakMap<EventEnvelope, ReadMessage>();
  /** Records of an event that did not fit in the last request. */
  private readonly next: OutgoingRecord[] = [];
  private hasReturned = false;
  private droppedBefore = 0;
  private idle: (() => void) | undefined;

  constructor(context: SinkContext) {
    this.context = context;
    this.queue = new EventQueue(context.config.max_pending_events);
  }

  /** Returns at once. */
  start(): void {
    this.context.conditions.impaired("publishing", "not connected to Kafka yet");
    void this.pump(this.closing.signal);
  }

  publish(envelope: EventEnvelope): void {
    const { event } = envelope;
    const letter = event.kind === "deadletter" ? this.context.origins.letterOf(event.data) : undefined;
    if (letter !== undefined) this.letters.set(envelope, letter);
    this.queue.push(envelope);
    this.wake.up();
  }

  /** The bus was away and may have missed, or lost, anything. */
  returned(): void {
    this.hasReturned = true;
    this.wake.up();
  }

  /** Gives what waits `drain_timeout` to leave, if there is a broker. */
  async close(): Promise<void> {
    const { config, producer } = this.context;
    if (producer.working && this.queue.size > 0) {
      const enough = new AbortController();
      const empty = new Promise<void>((resolve) => {
        this.idle = resolve;
      });
      await Promise.race([empty, pause(config.drain_timeout, enough.signal)]);
      enough.abort();
    }
    this.closing.abort();
  }

  private async pump(signal: AbortSignal): Promise<void> {
    let records: readonly OutgoingRecord[] = [];
    while (!signal.aborted) {
      await this.deliver(records, signal);
      if (this.queue.size === 0 && this.next.length === 0) {
        this.tellDropped("since they came faster than Kafka takes them");
        this.idle?.();
      }
      await this.wake.wait(signal, () => this.queue.size > 0 || this.next.length > 0 || this.hasReturned);
      if (this.hasReturned) await this.renew();
      records = this.take();
    }
  }

  private async deliver(records: readonly OutgoingRecord[], signal: AbortSignal): Promise<void> {
    const { producer } = this.context;
    try {
      const { retried } = await producer.deliver(records, signal);
      if (retried) this.hasReturned = true;
    } catch (error) {
      if (signal.aborted) return;
      if (records.length <= 1) this.lost(records[0], error);
      else for (const record of records) await this.deliver([record], signal);
    }
  }

  private lost(record: OutgoingRecord | undefined, error: unknown): void {
    const { conditions, log } = this.context;
    log.warn({ err: error, topic: record?.topic }, "an event was not published");
    if (record?.isOptional)
      conditions.impaired("dead letters", `a dead letter was not written: ${errorMessage(error)}`);
  }

  private async renew(): Promise<void> {
    const { publisher, producer } = this.context;
    this.hasReturned = false;
    // Also looks at the topics again: a broker that lost its data has none.
    await producer.reset();
    this.queue.renewInterfaces(publisher.currentInterfaces());
    this.tellDropped("while Kafka was away");
  }

  private tellDropped(when: string): void {
    const dropped = this.queue.dropped - this.droppedBefore;
    this.droppedBefore = this.queue.dropped;
    if (dropped === 0) return;
    this.context.log.warn({ dropped }, `events were dropped ${when}: more than kafka.max_pending_events`);
  }

  /** The next records, as many as fit in one message together; what is too large by itself is left out. */
  private take(): readonly OutgoingRecord[] {
    const limit = this.context.config.max_message_bytes;
    const taken: OutgoingRecord[] = [];
    let bytes = 0;
    for (;;) {
      if (this.next.length === 0) this.next.push(...this.records(this.queue.take()));
      const [record] = this.next;
      if (record === undefined) return taken;
      const size = sizeOf(record);
      if (size > limit) {
        this.context.log.warn({ size }, "an event is larger than kafka.max_message_bytes and was not published");
      } else if (bytes + size > limit) {
        return taken;
      } else {
        taken.push(record);
        bytes += size;
      }
      this.next.shift();
    }
  }

  private records(envelope: EventEnvelope | undefined): readonly OutgoingRecord[] {
    if (envelope === undefined) return [];
    const { config, agent } = this.context;
    const { event } = envelope;
    const records = eventRecords(config, agent.label, envelope);
    const letter = this.letters.get(envelope);
    if (event.kind !== "deadletter" || letter === undefined) return records;
    const { error } = event.data;
    return [...records, deadLetter(config, agent.label, { ...letter, error, limit: config.max_message_bytes })];
  }
}
