import { NatsError } from "nats";
import type { AgentInfo } from "#core/agent/types.js";
import { BusError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import { pause } from "#core/northbound/backoff.js";
import { Wake } from "#core/northbound/wake.js";
import { bucketFilter } from "#proto/nats.js";
import type { BucketReader } from "./bucket-reader.js";
import { type Bucket, bucketKeys } from "./buckets.js";
import type { NatsConfig } from "./config.js";
import type { NatsConditions, NatsSession } from "./connection.js";
import { type BucketPosition, mayForget } from "./continuity.js";
import { type BucketEpochRecords, turnOf } from "./epoch-record.js";
import { bucketFailure } from "./failure.js";

interface WatchContext {
  readonly config: NatsConfig;
  readonly agent: AgentInfo;
  readonly conditions: NatsConditions;
  readonly log: Logger;
  readonly records: BucketEpochRecords;
  readonly session: NatsSession;
  readonly bucket: Bucket;
  readonly reader: BucketReader;
}

/** A bucket that forgets by itself is searched for what is gone with every so many looks at it. */
const LOOKS = 20;
const STREAM_NOT_FOUND = 10059;

/**
 * What goes on beside the reading of a bucket: the record of what was read is written, and the bucket is looked at, whether it is the
 * same and has not lost anything. Nothing else tells: values that are purged or expire leave no message.
 */
export class BucketWatch {
  readonly bucket: Bucket;
  private readonly context: WatchContext;
  private readonly ended = new AbortController();
  private readonly wake = new Wake();
  private position: BucketPosition | undefined;
  private live: ReadonlySet<string> = new Set();
  /** Of the record's key in the bucket. */
  private recordRevision = 0;
  private unrecorded = false;
  private hasExpired = false;
  private looks = 0;
  /** The bucket lacks something that nobody deleted: the next reading is to say so. */
  onLoss: (reason: string) => void = () => undefined;

  constructor(context: WatchContext) {
    this.context = context;
    this.bucket = context.bucket;
    const abort = (): void => this.end();
    context.session.signal.addEventListener("abort", abort, { once: true, signal: this.ended.signal });
  }

  /** What was read is known from now on. `position` and `live` are the reader's own and go on changing. */
  begin(position: BucketPosition, live: ReadonlySet<string>, recordRevision: number): void {
    this.position = position;
    this.live = live;
    this.recordRevision = recordRevision;
    this.unrecorded ||= position.record === 0 || position.revision > recordRevision;
    this.context.records.renew();
    void this.keepRecord();
    void this.look();
  }

  /** Something was stored that the record does not cover. */
  stored(): void {
    if (this.position !== undefined && this.position.revision > this.recordRevision) this.unrecorded = true;
    this.wake.up();
  }

  /** The server says that the time of a value is over. */
  expired(): void {
    this.hasExpired = true;
  }

  fail(error: Error): void {
    this.context.reader.fail(error);
    this.end();
  }

  end(): void {
    this.ended.abort();
  }

  private async keepRecord(): Promise<void> {
    const { signal } = this.ended;
    const { records } = this.context;
    while (!signal.aborted) {
      await this.wake.wait(signal, () => this.unrecorded);
      await turnOf(records, signal);
      const position = this.position;
      if (signal.aborted || position === undefined) return;
      this.unrecorded = false;
      // The position goes on changing while the record is written.
      const { epoch, revision, sequence } = position;
      try {
        const written = await records.write(this.bucket, epoch, revision, this.recordRevision);
        if (written > 0) this.recordRevision = written;
        else this.unrecorded = true;
        if (written > 0 && written <= sequence) this.lost(`went back from revision ${sequence} to ${written}`);
      } catch (error) {
        if (signal.aborted) return;
        this.fail(error instanceof Error ? error : new BusError("RECORD", String(error)));
      }
    }
  }

  private async look(): Promise<void> {
    const { signal } = this.ended;
    const { config, conditions } = this.context;
    let impaired = false;
    while (!signal.aborted) {
      await pause(config.bucket_check, signal);
      if (signal.aborted) return;
      try {
        await this.check();
        if (impaired) conditions.fine("desired state");
        impaired = false;
      } catch (error) {
        if (signal.aborted) return;
        const gone = error instanceof NatsError && error.api_error?.err_code === STREAM_NOT_FOUND;
        const reason = gone ? `bucket ${this.bucket.name} is gone` : bucketFailure(error, this.bucket.name);
        if (gone) this.fail(new BusError("BUCKET_GONE", reason));
        else {
          impaired = true;
          conditions.impaired("desired state", reason);
        }
      }
    }
  }

  private async check(): Promise<void> {
    const { records } = this.context;
    const position = this.position;
    if (position === undefined) return;
    const subject = this.bucket.prefix + records.key;
    const info = await this.bucket.streams.info(this.bucket.stream, { subjects_filter: subject });
    const { created, state } = info;
    if (this.ended.signal.aborted) return;
    if (created !== position.created)
      return this.fail(new BusError("BUCKET_GONE", `bucket ${this.bucket.name} was made anew`));
    if (state.last_seq < position.sequence)
      return this.lost(`went back from revision ${position.sequence} to ${state.last_seq}`);
    if (position.record > 0 && !(subject in (state.subjects ?? {})))
      return this.lost("lost the record of this agent: it was purged");
    if (this.hasExpired) return this.lost("let values expire");
    this.looks += 1;
    const searches = this.looks % LOOKS === 0 && mayForget(info) !== undefined;
    if (state.messages < position.messages || searches) {
      const gone = await this.gone();
      if (gone > 0) return this.lost(`lost ${gone} values that nobody deleted (${mayForget(info) ?? "purged"})`);
    }
    position.sequence = state.last_seq;
    position.written = state.last_ts;
    position.messages = state.messages;
  }

  private async gone(): Promise<number> {
    const present = new Set(await bucketKeys(this.bucket, bucketFilter(this.context.agent.label)));
    return [...this.live].filter((key) => !present.has(key)).length;
  }

  private lost(what: string): void {
    const reason = `bucket ${this.bucket.name} ${what}`;
    this.onLoss(reason);
    this.fail(new BusError("BUCKET_LOSS", reason));
  }
}
