import type { KvEntry } from "nats";
import type { AgentInfo } from "#core/agent/types.js";
import { BusError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import { Backoff } from "#core/northbound/backoff.js";
import type { ConfigConsumer, ConfigSource, SourceItem } from "#core/northbound/index.js";
import { bucketFilter, keyFromConfigBucket } from "#proto/nats.js";
import { type Bucket, bucketKeys, openBucket } from "./buckets.js";
import type { NatsConfig } from "./config.js";
import type { BusConnection, NatsConditions, Session } from "./connection.js";
import { bucketFailure } from "./failure.js";

interface SourceContext {
  readonly config: NatsConfig;
  readonly agent: AgentInfo;
  readonly bus: BusConnection;
  readonly conditions: NatsConditions;
  readonly log: Logger;
}

/** How far the bucket was read. */
interface Position {
  /** Of the bucket. */
  readonly created: string;
  revision: number;
  /** Model keys that the bucket has a value for. */
  readonly live: Set<string>;
}

/**
 * Desired state from the bucket `tenuto-config`: a snapshot, then changes as they are written. After a loss of the
 * connection it goes on at the revision that it had reached, and gives up keys whose delete markers are gone as well.
 *
 * A bucket without a trace of this agent, not even a delete marker, says nothing: a broker that lost its data, or one that is
 * new, must not take a host's network away. What was asked for before stays.
 * A key written in two spellings (`.` and `=2E`) is one key, and the later change counts.
 */
export class NatsConfigSource implements ConfigSource {
  readonly name = "nats";
  readonly priority = 50;
  readonly #context: SourceContext;
  #consumer: ConfigConsumer | undefined;
  #position: Position | undefined;
  /** What the consumer has not had yet: a snapshot first, then the newest change of each key. */
  #snapshot: readonly SourceItem[] | undefined;
  readonly #changes = new Map<string, SourceItem>();
  #delivering: Promise<void> | undefined;
  /** A watch that is being set up. */
  #opening: Promise<unknown> | undefined;

  constructor(context: SourceContext) {
    this.#context = context;
    context.bus.onSession((session) => {
      if (this.#consumer !== undefined) void this.#follow(session);
    });
  }

  start(consumer: ConfigConsumer): void {
    this.#consumer = consumer;
    const { session } = this.#context.bus;
    if (session !== undefined) void this.#follow(session);
  }

  /**
   * Waits for what the consumer has in hand, and for a watch that is just being set up: nats.js would leave the timer behind that
   * looks for its heartbeats, if the connection closed in between.
   */
  async close(): Promise<void> {
    this.#consumer = undefined;
    await Promise.allSettled([this.#delivering, this.#opening]);
  }

  async #follow(session: Session): Promise<void> {
    const { config, conditions, log } = this.#context;
    conditions.impaired("desired state", "the desired state is not read yet");
    const backoff = new Backoff(config.reconnect_min, config.reconnect_max);
    while (!session.signal.aborted) {
      try {
        await this.#watch(session);
        backoff.reset();
        throw new BusError("WATCH_ENDED", `the watch of bucket ${config.config_bucket} ended`);
      } catch (error) {
        if (session.signal.aborted) return;
        const reason = bucketFailure(error, config.config_bucket);
        if (conditions.impaired("desired state", reason)) log.warn({ err: error }, reason);
      }
      await backoff.wait(session.signal);
    }
  }

  /** Follows the bucket until the watch ends. */
  async #watch(session: Session): Promise<void> {
    const { config, agent, conditions } = this.#context;
    const bucket = await openBucket(session, config.config_bucket, "Desired state of Tenuto agents", config);
    const position = this.#position;
    const filter = bucketFilter(agent.label);
    const resumes = position !== undefined && position.created === bucket.created;
    if (resumes) this.#giveUp(position, await bucketKeys(bucket, filter), bucket);

    let first: Map<string, SourceItem> | undefined = resumes ? undefined : new Map();
    const next: Position = resumes ? position : { created: bucket.created, revision: 0, live: new Set() };
    if (this.#consumer === undefined) return;
    const opening = bucket.kv.watch({
      key: filter,
      ...(resumes ? { resumeFromRevision: position.revision + 1 } : {}),
      initializedFn: () => {
        if (first !== undefined) this.#begin(next, [...first.values()]);
        first = undefined;
        conditions.fine("desired state");
      },
    });
    this.#opening = opening;
    const entries = await opening;
    for await (const entry of entries) {
      const item = this.#item(entry);
      next.revision = Math.max(next.revision, entry.revision);
      if (item.value === undefined) next.live.delete(item.key);
      else next.live.add(item.key);

      if (first === undefined) this.#change(item);
      else if (item.value === undefined) first.delete(item.key);
      else first.set(item.key, item);
    }
  }

  #item(entry: KvEntry): SourceItem {
    const { agent, config } = this.#context;
    // A key with broken escapes goes on as it is, to be refused like any other unknown key.
    const key = keyFromConfigBucket(agent.label, entry.key) ?? entry.key;
    return {
      key,
      value: entry.operation === "PUT" ? entry.value : undefined,
      origin: `${config.config_bucket}@${entry.revision}`,
    };
  }

  /** The first reading of a bucket is complete. */
  #begin(position: Position, items: readonly SourceItem[]): void {
    this.#position = position;
    if (position.revision === 0) {
      this.#context.log.info("the bucket says nothing about this agent; what was asked for before, if anything, stays");
      return;
    }
    this.#changes.clear();
    this.#snapshot = items;
    this.#deliver();
  }

  /** Keys that were deleted while we were away and whose delete markers were purged since. */
  #giveUp(position: Position, bucketKeysNow: readonly string[], bucket: Bucket): void {
    const { agent } = this.#context;
    const present = new Set(bucketKeysNow.map((key) => keyFromConfigBucket(agent.label, key) ?? key));
    for (const key of [...position.live]) {
      if (present.has(key)) continue;
      position.live.delete(key);
      this.#change({ key, value: undefined, origin: bucket.name });
    }
  }

  #change(item: SourceItem): void {
    this.#changes.set(item.key, item);
    this.#deliver();
  }

  #deliver(): void {
    this.#delivering ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // Lets changes that were read together travel together.
    await Promise.resolve();
    try {
      while (this.#consumer !== undefined && (this.#snapshot !== undefined || this.#changes.size > 0)) {
        if (this.#snapshot !== undefined) {
          const items = this.#snapshot;
          this.#snapshot = undefined;
          await this.#consumer.snapshot(items, { kind: "continuous" });
        } else {
          const items = [...this.#changes.values()];
          this.#changes.clear();
          await this.#consumer.change(items);
        }
      }
    } catch (error) {
      // The agent's part is to accept anything; what it did not take is read again with the next connection.
      this.#position = undefined;
      this.#context.log.error({ err: error }, "the agent did not take the desired state");
    } finally {
      this.#delivering = undefined;
    }
  }
}
