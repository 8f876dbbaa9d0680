import { setImmediate as nextTurn } from "node:timers/promises";
import type { AgentInfo } from "#core/agent/types.js";
import { BusError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import { Backoff, pause } from "#core/northbound/backoff.js";
import type { EventEnvelope, EventPublisher } from "#core/northbound/index.js";
import { Wake } from "#core/northbound/wake.js";
import { nameFromStateBucket, stateBucketKey } from "#proto/nats.js";
import { type Bucket, bucketKeys, openBucket, putWithHeaders } from "./buckets.js";
import type { NatsConfig } from "./config.js";
import type { NatsConditions, NatsSession, Sessions } from "./connection.js";
import { eventMessage } from "./event-message.js";
import { bucketFailure } from "./failure.js";

interface LastStatesContext {
  readonly config: NatsConfig;
  readonly agent: AgentInfo;
  readonly publisher: EventPublisher;
  readonly bus: Sessions;
  readonly conditions: NatsConditions;
  readonly log: Logger;
}

/** The bucket is written to in rounds, at least so many ms apart: those who listen now come first. */
const ROUND = 10;
/** States in a round: what many interfaces do at once does not keep the event loop for long, nor the broker. */
const WRITES_A_ROUND = 8;
/** The first look at the bucket, and then every so many, counts what is in it. */
const LOOKS = 20;

/**
 * Keeps the bucket `tenuto-state`: the last state of every interface, for subscribers that start late. Only the newest state
 * of an interface is written. A deleted interface leaves a delete marker.
 */
export class LastStates {
  private readonly context: LastStatesContext;
  /** States that the bucket does not have yet, by interface name. */
  private readonly unwritten = new Map<string, EventEnvelope>();
  private readonly wake = new Wake();
  /** The bucket can be written to. */
  private open = false;
  private idle: (() => void) | undefined;

  constructor(context: LastStatesContext) {
    this.context = context;
  }

  put(name: string, envelope: EventEnvelope): void {
    // What goes while there is no bucket is swept from it when it opens; remembering every such name could fill the memory.
    if (!this.open && isDeleted(envelope)) this.unwritten.delete(name);
    else this.unwritten.set(name, envelope);
    this.wake.up();
  }

  /** Brings the bucket up to date with a connection that has just come, and keeps it so until the connection ends. */
  async serve(session: NatsSession): Promise<void> {
    const { config, conditions, log } = this.context;
    conditions.impaired("last states", "the last states are not written yet");
    const backoff = new Backoff(config.reconnect_min, config.reconnect_max);
    while (!session.signal.aborted) {
      try {
        const bucket = await openBucket(session, config.state_bucket, "Last interface states of Tenuto agents", config);
        await this.begin(bucket);
        conditions.fine("last states");
        await this.keep(bucket, session.signal);
      } catch (error) {
        if (session.signal.aborted) break;
        const reason = bucketFailure(error, config.state_bucket);
        if (conditions.impaired("last states", reason)) log.warn({ err: error }, reason);
      }
      this.open = false;
      await backoff.wait(session.signal);
    }
    this.open = false;
  }

  /** Resolves when everything is written, or cannot be. */
  async written(): Promise<void> {
    if (!this.open || this.unwritten.size === 0) return;
    await new Promise<void>((resolve) => {
      this.idle = resolve;
    });
  }

  /** The bucket may miss anything: all states are written anew, and interfaces that went meanwhile are removed. */
  private async begin(bucket: Bucket): Promise<void> {
    const { agent, publisher } = this.context;
    this.open = true;
    for (const envelope of publisher.currentInterfaces()) {
      if (!this.unwritten.has(envelope.subject)) this.unwritten.set(envelope.subject, envelope);
    }
    for (const key of await bucketKeys(bucket, stateBucketKey(agent.label))) {
      const name = nameFromStateBucket(agent.label, key);
      if (name === undefined || this.unwritten.has(name)) continue;
      const entry = await bucket.kv.get(key);
      if (entry?.operation === "PUT") await bucket.kv.delete(key);
    }
  }

  /** Writes until the bucket is not what it was: then everything is written to it again. */
  private async keep(bucket: Bucket, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort();
    signal.addEventListener("abort", end, { once: true, signal: over.signal });
    try {
      await Promise.race([this.write(bucket, over.signal), this.look(bucket, over.signal)]);
    } finally {
      end();
    }
  }

  /** Nothing tells an agent that has nothing to write that its bucket was deleted, made anew, purged or set back. */
  private async look(bucket: Bucket, signal: AbortSignal): Promise<void> {
    const { name, stream, streams, info } = bucket;
    let { messages, last_seq: sequence } = info.state;
    for (let looks = 0; !signal.aborted; looks += 1) {
      await pause(this.context.config.bucket_check, signal);
      if (signal.aborted) return;
      const now = await streams.info(stream);
      const { state } = now;
      const isSame = now.created === info.created && state.messages >= messages && state.last_seq >= sequence;
      const lacks = looks % LOOKS === 0 && (await this.lacks(bucket));
      if (!isSame || lacks) throw new BusError("BUCKET_LOSS", `bucket ${name} has lost states: they are written again`);
      ({ messages, last_seq: sequence } = state);
    }
  }

  /** Is a state not in the bucket that was written to it? */
  private async lacks(bucket: Bucket): Promise<boolean> {
    const { agent, publisher } = this.context;
    const written = publisher
      .currentInterfaces()
      .filter((state) => !isDeleted(state) && !this.unwritten.has(state.subject));
    const present = new Set(await bucketKeys(bucket, stateBucketKey(agent.label)));
    return written.some(({ subject }) => !present.has(stateBucketKey(agent.label, subject)));
  }

  private async write(bucket: Bucket, signal: AbortSignal): Promise<void> {
    let last = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      await this.wake.wait(signal, () => this.unwritten.size > 0);
      // Those who listen now come first: their message leaves at the end of this turn of the event loop.
      await nextTurn();
      const rest = last + ROUND - performance.now();
      if (rest > 0 && this.idle === undefined) await pause(rest, signal);
      if (signal.aborted) return;
      const some = [...this.unwritten].slice(0, WRITES_A_ROUND);
      await Promise.all(some.map(([name, envelope]) => this.writeOne(bucket, name, envelope)));
      if (this.unwritten.size === 0) this.idle?.();
      last = performance.now();
    }
  }

  private async writeOne(bucket: Bucket, name: string, envelope: EventEnvelope): Promise<void> {
    const key = stateBucketKey(this.context.agent.label, name);
    if (isDeleted(envelope)) {
      await bucket.kv.delete(key);
    } else {
      const { data, headers } = eventMessage(envelope, this.context.bus.maxMessage);
      await putWithHeaders(bucket, key, data, headers);
    }
    // Unless a newer state came while this one was written.
    if (this.unwritten.get(name) === envelope) this.unwritten.delete(name);
  }
}

function isDeleted({ event }: EventEnvelope): boolean {
  return event.kind === "interface" && event.deleted;
}
