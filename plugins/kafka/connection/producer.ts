import type { IHeaders, Message, Producer, TopicMessages } from "kafkajs";
import { BusError } from "#core/errors.js";
import { lazily } from "#core/lazily.js";
import { Backoff, pause } from "#core/northbound/backoff.js";
import type { BusContext } from "./context.js";
import { isOurs, kafkaFailure, protocolError } from "./failure.js";
import type { TopicSpec } from "./topics.js";

/** A message ready to be sent. Without a value it is a tombstone. */
export interface OutgoingRecord {
  readonly topic: string;
  readonly key: string | Buffer | null;
  readonly value: Uint8Array | null;
  readonly headers: IHeaders;
  /** A result: its topic may be a requester's own. */
  readonly isReply?: boolean;
  /** Where the broker does not allow it, it is left out: what is sent with it must not wait for that. */
  readonly isOptional?: boolean;
}

/** What a record takes of a batch beside its value: key, headers of our own and framing, as an upper estimate in bytes. */
export const RECORD_ROOM = 2_048;

export function sizeOf({ value, headers }: OutgoingRecord): number {
  return (value?.length ?? 0) + Math.max(RECORD_ROOM, headersSize(headers) + RECORD_ROOM / 2);
}

/** Bytes of headers with their framing, as an upper estimate. */
export function headersSize(headers: IHeaders): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) bytes += 3 * name.length + (one?.length ?? 0) + 16;
  }
  return bytes;
}

/** A record that kafkajs cannot encode, however often it tries. */
export const UNSENDABLE = "UNSENDABLE";

/** Codes for what no later attempt would get through: too large for the topic, alone or in one batch with others, or refused. */
export const TOO_LARGE: ReadonlySet<string> = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  UNSENDABLE,
]);

const FORBIDDEN = "TOPIC_AUTHORIZATION_FAILED";

/** An error that is no failure of the bus may be one of a moment in kafkajs; so often in a row, it is of the record. */
const UNSENDABLE_AFTER = 3;

/** Acknowledged by every replica in sync. */
const ALL = -1;

interface OpenProducer {
  readonly producer: Producer;
  /** What is being sent. */
  readonly sending: Set<Promise<unknown>>;
}

/**
 * Sends to the topics that all agents share, which it creates where they are missing. After any failure it begins anew with
 * a new kafkajs producer: one that has once met a topic that is gone fails for all others, too.
 */
export class BusProducer {
  private readonly context: BusContext;
  private readonly shared: readonly TopicSpec[];
  private producer: Promise<OpenProducer> | undefined;
  private workingProducer = false;

  constructor(context: BusContext, shared: readonly TopicSpec[]) {
    this.context = context;
    this.shared = shared;
  }

  /** Did the last attempt succeed? */
  get working(): boolean {
    return this.workingProducer;
  }

  /** Forgets the connection, so that the next send looks at the topics again. */
  async reset(): Promise<void> {
    const opening = this.producer;
    this.producer = undefined;
    const open = await opening?.catch(() => undefined);
    if (open === undefined) return;
    const { producer, sending } = open;
    await this.disconnect(producer);
    // What was under way connects anew to be sent all the same, and nobody else would close that connection.
    if (sending.size > 0) void Promise.allSettled(sending).then(() => this.disconnect(producer));
  }

  private async disconnect(producer: Producer): Promise<void> {
    try {
      await producer.disconnect();
    } catch (error) {
      this.context.log.debug({ err: error }, "a producer ended badly");
    }
  }

  /**
   * Sends all records in one request per broker, and tries until that is done; resolves with whether it took more than one
   * attempt. Without records it resolves when there is a connection and the shared topics are there.
   *
   * Throws when `signal` aborts, and `BusError` with Kafka's own code for one of `refusals`.
   */
  async deliver(
    records: readonly OutgoingRecord[],
    signal: AbortSignal,
    refusals: ReadonlySet<string> = TOO_LARGE,
  ): Promise<{ readonly retried: boolean }> {
    const { config, conditions, log } = this.context;
    const hasOptional = records.some(({ isOptional = false }) => isOptional);
    const backoff = new Backoff(config.reconnect_min, config.reconnect_max);
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted();
      try {
        await this.send(records);
        conditions.fine("publishing");
        if (hasOptional) conditions.fine("dead letters");
        return { retried: attempt > 0 };
      } catch (error) {
        const { code, reason } = this.refusal(error, attempt);
        if (refusals.has(code)) throw new BusError(code, reason, { cause: error });
        if (code === FORBIDDEN && hasOptional) {
          if (conditions.impaired("dead letters", `dead letters are not written: ${reason}`)) log.warn({ err: error });
          return await this.deliver(withoutOptional(records), signal, refusals);
        }
        if (!signal.aborted && conditions.impaired("publishing", reason)) log.warn({ err: error }, reason);
        await backoff.wait(signal);
      }
    }
  }

  private refusal(error: unknown, attempt: number): { readonly code: string; readonly reason: string } {
    const hopeless = attempt + 1 >= UNSENDABLE_AFTER && isOurs(error);
    return { code: hopeless ? UNSENDABLE : protocolError(error), reason: kafkaFailure(error, this.context.config) };
  }

  /** Sends without trying again. Throws what keeps it from that. */
  async tryOnce(records: readonly OutgoingRecord[]): Promise<void> {
    await this.send(records);
  }

  /** A broker that hangs must not keep us. */
  async close(): Promise<void> {
    const enough = new AbortController();
    await Promise.race([this.reset(), pause(this.context.config.drain_timeout, enough.signal)]);
    enough.abort();
  }

  private async send(records: readonly OutgoingRecord[]): Promise<void> {
    try {
      const { producer, sending } = await this.connected();
      if (records.length > 0) {
        const sent = producer.sendBatch({ acks: ALL, topicMessages: byTopic(records) });
        sending.add(sent);
        await sent.finally(() => sending.delete(sent));
      }
      this.workingProducer = true;
    } catch (error) {
      this.workingProducer = false;
      await this.reset();
      throw error;
    }
  }

  private connected(): Promise<OpenProducer> {
    if (this.producer !== undefined) return this.producer;
    const opening = this.open();
    this.producer = opening;
    opening.catch(() => {
      if (this.producer === opening) this.producer = undefined;
    });
    return opening;
  }

  private async open(): Promise<OpenProducer> {
    const { client, topics } = this.context;
    const kafka = await client.open();
    await client.withAdmin(kafka, (admin) => topics.ensure(admin, this.shared));
    const { Partitioners } = await lazily(() => import("kafkajs"));
    const producer = kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: 1 },
    });
    await producer.connect();
    return { producer, sending: new Set() };
  }
}

function withoutOptional(records: readonly OutgoingRecord[]): readonly OutgoingRecord[] {
  return records.filter(({ isOptional = false }) => !isOptional);
}

function byTopic(records: readonly OutgoingRecord[]): TopicMessages[] {
  const messages = new Map<string, Message[]>();
  for (const { topic, key, value, headers } of records) {
    const some = messages.get(topic) ?? [];
    messages.set(topic, some);
    const bytes = value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    some.push({ key, value: bytes, headers });
  }
  return [...messages].map(([topic, some]) => ({ topic, messages: some }));
}
