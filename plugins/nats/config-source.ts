import type { AgentInfo } from "#core/agent/types.js";
import { BusError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import { Backoff } from "#core/northbound/backoff.js";
import { type Absence, type ConfigConsumer, type ConfigSource, storedPosition } from "#core/northbound/index.js";
import { bucketFilter } from "#proto/nats.js";
import { type BucketEntry, BucketReader } from "./bucket-reader.js";
import { BucketReading, itemOf, meaningOf } from "./bucket-reading.js";
import { BucketWatch } from "./bucket-watch.js";
import { type Bucket, openBucket } from "./buckets.js";
import type { NatsConfig } from "./config.js";
import type { NatsConditions, NatsSession, Sessions } from "./connection.js";
import { type BucketPosition, gapSince, positionSchema } from "./continuity.js";
import { Deliveries } from "./deliveries.js";
import { BucketEpochRecords, newEpoch, recordOf } from "./epoch-record.js";
import { bucketFailure } from "./failure.js";

interface SourceContext {
  readonly config: NatsConfig;
  readonly agent: AgentInfo;
  readonly bus: Sessions;
  readonly conditions: NatsConditions;
  readonly log: Logger;
}

/** Copies of a replicated bucket may be a little behind: so often it is read again before its state is believed. */
const MAX_REVALIDATIONS = 3;

/**
 * Desired state from the bucket `tenuto-config`: a snapshot, then changes as they are written.
 *
 * A snapshot is what the bucket has now. What it does not have any more was deleted only if the bucket is proven to be the same and to
 * have gone on from where it was read before (see `continuity.ts`); that is looked at with every connection, and every `bucket_check`.
 * Otherwise the snapshot says that its absences mean nothing, and why.
 */
export class NatsConfigSource implements ConfigSource {
  readonly name = "nats";
  readonly priority = 50;
  private readonly context: SourceContext;
  private readonly records: BucketEpochRecords;
  private deliveries: Deliveries | undefined;
  /** How far the bucket was read, and what of it had a value. Without `live` it is to be read as a whole. */
  private position: BucketPosition | undefined;
  private live: Set<string> | undefined;
  /** Why the next reading lacks something, if that was seen while the bucket was watched. */
  private loss: string | undefined;
  private revalidations = 0;
  /** Revision of our record's key in the bucket, whatever it says. */
  private recordRevision = 0;
  /** The watch has come so far that a pause after it is a new one. */
  private begun = false;

  constructor(context: SourceContext) {
    this.context = context;
    this.records = new BucketEpochRecords(context.agent.label, context.log);
    context.bus.onSession((session) => {
      if (this.deliveries !== undefined) void this.follow(session);
    });
  }

  start(consumer: ConfigConsumer): void {
    this.position = storedPosition(positionSchema, consumer.position);
    this.deliveries = new Deliveries(consumer, this.context.log);
    const { session } = this.context.bus;
    if (session !== undefined) void this.follow(session);
  }

  /** Waits for what the consumer has in hand. */
  async close(): Promise<void> {
    const deliveries = this.deliveries;
    this.deliveries = undefined;
    await deliveries?.close();
  }

  private async follow(session: NatsSession): Promise<void> {
    const { config, conditions, log } = this.context;
    conditions.impaired("desired state", "the desired state is not read yet");
    const backoff = new Backoff(config.reconnect_min, config.reconnect_max);
    while (!session.signal.aborted && this.deliveries !== undefined) {
      try {
        await this.watch(session, this.deliveries);
        throw new BusError("WATCH_ENDED", `the watch of bucket ${config.config_bucket} ended`);
      } catch (error) {
        if (session.signal.aborted) return;
        if (!(error instanceof ReadAgain)) {
          const reason = bucketFailure(error, config.config_bucket);
          if (conditions.impaired("desired state", reason)) log.warn({ err: error }, reason);
        }
      }
      if (this.begun) backoff.reset();
      this.begun = false;
      await backoff.wait(session.signal);
    }
  }

  /** Follows the bucket until the watch ends. */
  private async watch(session: NatsSession, deliveries: Deliveries): Promise<void> {
    const { config, agent } = this.context;
    const bucket = await openBucket(session, config.config_bucket, "Desired state of Tenuto agents", config);
    const before = this.position;
    const isKnown = this.live !== undefined && this.loss === undefined;
    const resumes = isKnown && before !== undefined && isUntouched(before, bucket);
    const after = resumes ? before.revision : undefined;
    const reader = await BucketReader.open(session, bucket, bucketFilter(agent.label), after);
    const watch = new BucketWatch({ ...this.context, records: this.records, session, bucket, reader });
    try {
      const reading = resumes ? undefined : new BucketReading(agent.label, bucket, before);
      if (reading === undefined) this.settled(watch, deliveries);
      await this.read(reader, watch, deliveries, reading);
    } finally {
      watch.end();
      reader.close();
    }
  }

  private async read(
    reader: BucketReader,
    watch: BucketWatch,
    deliveries: Deliveries,
    first: BucketReading | undefined,
  ): Promise<void> {
    let reading = first;
    const isWhole = ({ count }: BucketReading, pending: number): boolean => pending === 0 || count >= reader.waiting;
    if (reading !== undefined && reader.waiting === 0) {
      this.begin(reading, watch, deliveries);
      reading = undefined;
    }
    for await (const entry of reader.entries()) {
      if (reading === undefined) {
        this.change(entry, watch, deliveries);
        continue;
      }
      reading.add(entry);
      if (!isWhole(reading, entry.pending)) continue;
      this.begin(reading, watch, deliveries);
      reading = undefined;
    }
  }

  /** The bucket has been read as a whole. */
  private begin(reading: BucketReading, watch: BucketWatch, deliveries: Deliveries): void {
    const { log } = this.context;
    const { bucket } = watch;
    const before = this.position;
    const gap = this.loss ?? gapSince(before, reading.facts());
    if (
      gap !== undefined &&
      isReplicated(bucket) &&
      before?.created === bucket.info.created &&
      ++this.revalidations < MAX_REVALIDATIONS
    ) {
      throw new ReadAgain(gap);
    }
    this.revalidations = 0;
    this.loss = undefined;
    const goesOn = gap === undefined && before !== undefined;
    const position = reading.position(goesOn ? before.epoch : newEpoch(), goesOn ? reading.record.revision : 0);
    const absence = this.absence(reading, gap);
    if (gap !== undefined && before !== undefined) log.warn({ absence: absence.kind }, gap);
    this.position = position;
    this.live = reading.live;
    deliveries.snapshot([...reading.items, ...reading.deletes], absence, position);
    this.recordRevision = reading.record.revision;
    this.settled(watch, deliveries);
  }

  private absence(reading: BucketReading, gap: string | undefined): Absence {
    if (reading.isComplete()) return { kind: "complete" };
    if (gap === undefined || this.context.config.missing === "remove") return { kind: "continuous" };
    return { kind: "unknown", reason: gap };
  }

  /** What is delivered from now on is recorded in the bucket, and the bucket is looked after. */
  private settled(watch: BucketWatch, deliveries: Deliveries): void {
    const { conditions } = this.context;
    deliveries.onStored = () => watch.stored();
    deliveries.onRefused = (stored) => {
      this.position = storedPosition(positionSchema, stored);
      this.live = undefined;
      watch.fail(new BusError("NOT_TAKEN", "the agent did not take the desired state: it is read again"));
    };
    watch.onLoss = (reason) => {
      this.loss = reason;
    };
    if (this.position !== undefined && this.live !== undefined) {
      watch.begin(this.position, this.live, this.recordRevision);
    }
    this.begun = true;
    conditions.fine("desired state");
  }

  private change(entry: BucketEntry, watch: BucketWatch, deliveries: Deliveries): void {
    const { agent } = this.context;
    const position = this.position;
    if (position === undefined) throw new ReadAgain("the agent did not take what was read");
    const meaning = meaningOf(agent.label, entry);
    // What was read before it is compared with the marker's time, so it is read again without having been seen.
    if (meaning.kind === "complete") throw new ReadAgain("the bucket is said to be complete");
    position.revision = entry.revision;
    if (entry.time > BigInt(position.time)) position.time = String(entry.time);
    switch (meaning.kind) {
      case "record":
        this.recorded(entry, position, watch);
        deliveries.moved(position);
        break;
      case "value":
        this.live?.add(entry.key);
        break;
      case "deleted":
        this.live?.delete(entry.key);
        break;
      case "expired":
        watch.expired();
        break;
      case "reserved":
    }
    position.values = this.live?.size ?? 0;
    if (meaning.kind !== "value" && meaning.kind !== "deleted") return;
    deliveries.change(itemOf(watch.bucket.name, meaning.key, entry), position);
  }

  private recorded(entry: BucketEntry, position: BucketPosition, watch: BucketWatch): void {
    const { epoch, revision } = recordOf(entry);
    this.recordRevision = revision;
    if (epoch !== position.epoch) {
      this.loss = `the record of this agent in bucket ${watch.bucket.name} was replaced by somebody else`;
      throw new ReadAgain(this.loss);
    }
    position.record = revision;
  }
}

/** The bucket is to be read as a whole again, which is nothing to complain about. */
class ReadAgain extends BusError {
  constructor(reason: string) {
    super("READ_AGAIN", reason);
  }
}

/** Nobody wrote to the bucket since it was read. */
function isUntouched({ created, sequence, written, messages }: BucketPosition, { info }: Bucket): boolean {
  const { state } = info;
  return (
    created === info.created && sequence === state.last_seq && written === state.last_ts && messages === state.messages
  );
}

function isReplicated({ info }: Bucket): boolean {
  return info.config.num_replicas > 1;
}
