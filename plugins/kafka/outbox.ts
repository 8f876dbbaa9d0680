import { BusError } from "#core/errors.js";
import { type BusProducer, type OutgoingRecord, sizeOf, TOO_LARGE, UNSENDABLE } from "./connection/producer.js";
import type { ReplyTopics } from "./reply-topics.js";

/** What one command leads to. */
export interface CommandOutcome {
  /** Offset of the command. */
  readonly offset: string;
  /** The records to send, each at most `limit` bytes. Called again with a smaller limit when the topic takes less. */
  records(limit: number): readonly OutgoingRecord[];
  /** The broker has them. */
  sent(): void;
}

export interface OutboxOptions {
  readonly producer: BusProducer;
  readonly replyTopics: ReplyTopics;
  /** Of one message and of all that leave together, bytes. */
  readonly maxMessageBytes: number;
  /** Commands whose outcomes are worked on or wait to be sent. */
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  readonly signal: AbortSignal;
  /** An outcome that no topic takes, however small it is made. Those behind it go on. */
  readonly lost: (outcome: CommandOutcome, error: BusError) => void;
  /** The outcomes of all commands up to this offset are on the bus. */
  readonly done: (offset: string) => Promise<void>;
}

interface Known {
  readonly outcome: CommandOutcome;
  readonly records: readonly OutgoingRecord[];
  readonly bytes: number;
  /** A topic that a requester named. */
  readonly replyTo: string | undefined;
}

/** An outcome that is there, or is being worked on. */
interface Waiting {
  readonly pending: Promise<unknown>;
  known?: Known;
}

/** What a reply topic that is not there, or not for us, is refused with. */
const NO_REPLY = new Set([
  ...TOO_LARGE,
  "UNKNOWN_TOPIC_OR_PARTITION",
  "INVALID_TOPIC_EXCEPTION",
  "TOPIC_AUTHORIZATION_FAILED",
]);
/** Smaller than this no topic's limit is. */
const MIN_LIMIT = 4 * 1024;

/**
 * Sends the outcomes of commands in their order, several at a time, while others are still worked on. An outcome counts as
 * done when the broker has it.
 */
export class Outbox {
  private readonly options: OutboxOptions;
  private readonly waiting: Waiting[] = [];
  private bytes = 0;
  private draining: Promise<void> | undefined;
  private failure: { readonly error: unknown } | undefined;

  constructor(options: OutboxOptions) {
    this.options = options;
  }

  /** Takes an outcome that never fails to come. */
  add(outcome: Promise<CommandOutcome>): void {
    const waiting: Waiting = {
      pending: outcome.then((known) => {
        waiting.known = this.encoded(known);
        this.bytes += waiting.known.bytes;
      }),
    };
    this.waiting.push(waiting);
    this.draining ??= this.drain();
  }

  /** Resolves when another command may be begun. Throws what kept the outcomes of earlier ones from being sent. */
  async room(): Promise<void> {
    const { maxPending, maxPendingBytes } = this.options;
    if (this.waiting.length >= maxPending || this.bytes >= maxPendingBytes) await this.draining;
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Resolves when everything is sent and done. Throws what kept it from that. */
  async sent(): Promise<void> {
    await this.draining;
    if (this.failure !== undefined) throw this.failure.error;
  }

  private async drain(): Promise<void> {
    try {
      while (this.waiting.length > 0) {
        await this.waiting[0]?.pending;
        const some = this.take();
        await this.send(some);
        this.bytes -= some.reduce((sum, { bytes }) => sum + bytes, 0);
        for (const { outcome } of some) outcome.sent();
        const last = some.at(-1);
        if (last !== undefined) await this.options.done(last.outcome.offset);
      }
    } catch (error) {
      this.failure = { error };
    } finally {
      this.draining = undefined;
    }
  }

  /** The next outcomes that are there and fit in one message together; one at least. */
  private take(): readonly Known[] {
    const taken: Known[] = [];
    let bytes = 0;
    for (const { known } of this.waiting) {
      if (known === undefined) break;
      bytes += known.bytes;
      if (taken.length > 0 && bytes > this.options.maxMessageBytes) break;
      taken.push(known);
    }
    this.waiting.splice(0, taken.length);
    return taken;
  }

  private encoded(outcome: CommandOutcome): Known {
    const records = outcome.records(this.options.maxMessageBytes);
    const bytes = records.reduce((sum, record) => sum + sizeOf(record), 0);
    return { outcome, records, bytes, replyTo: this.replyTo(records) };
  }

  private async send(some: readonly Known[]): Promise<void> {
    const { producer, signal } = this.options;
    const alone = some.filter(({ replyTo }) => replyTo !== undefined);
    const together = some.filter(({ replyTo }) => replyTo === undefined);
    const records = together.flatMap((one) => one.records);
    try {
      if (records.length > 0) await producer.deliver(records, signal);
    } catch (error) {
      if (!(error instanceof BusError) || !TOO_LARGE.has(error.code)) throw error;
      alone.push(...together);
    }
    for (const { outcome } of alone) await this.sendAlone(outcome);
  }

  /** Smaller and smaller if the topic does not take it, and to the topic for all if a requester's own is not there. */
  private async sendAlone(outcome: CommandOutcome): Promise<void> {
    const { producer, signal, maxMessageBytes } = this.options;
    let limit = maxMessageBytes;
    for (;;) {
      const records = outcome.records(limit);
      const replyTo = this.replyTo(records);
      try {
        await producer.deliver(records, signal, replyTo === undefined ? TOO_LARGE : NO_REPLY);
        return;
      } catch (error) {
        if (!(error instanceof BusError)) throw error;
        if (!TOO_LARGE.has(error.code)) {
          if (replyTo === undefined) throw error;
          this.options.replyTopics.refuse(replyTo);
        } else if (limit < MIN_LIMIT || error.code === UNSENDABLE) {
          this.options.lost(outcome, error);
          return;
        } else {
          limit /= 2;
        }
      }
    }
  }

  private replyTo(records: readonly OutgoingRecord[]): string | undefined {
    return records.find(({ topic, isReply = false }) => isReply && this.options.replyTopics.isForeign(topic))?.topic;
  }
}
