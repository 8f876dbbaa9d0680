import type { SourceItem } from "#core/northbound/index.js";
import { COMPLETE_MARKER, EPOCH_RECORD, keyFromConfigBucket, RESERVED_PREFIX } from "#proto/nats.js";
import type { BucketEntry } from "./bucket-reader.js";
import type { Bucket } from "./buckets.js";
import type { BucketFindings, BucketPosition } from "./continuity.js";
import { type BucketRecordSeen, NO_RECORD, recordOf } from "./epoch-record.js";

/** What an entry of the bucket is. */
export type Meaning =
  | { readonly kind: "value" | "deleted" | "expired"; readonly key: string }
  | { readonly kind: "record" | "complete" | "reserved" };

const MEANING = { put: "value", delete: "deleted", expired: "expired" } as const;

export function meaningOf(label: string, entry: BucketEntry): Meaning {
  // A key with broken escapes goes on as it is, to be refused like any other unknown key.
  const key = keyFromConfigBucket(label, entry.key) ?? entry.key;
  if (key === EPOCH_RECORD) return { kind: "record" };
  if (key === COMPLETE_MARKER) return { kind: entry.kind === "put" ? "complete" : "reserved" };
  if (key.startsWith(RESERVED_PREFIX)) return { kind: "reserved" };
  return { kind: MEANING[entry.kind], key };
}

export function itemOf(bucket: string, key: string, { kind, data, revision }: BucketEntry): SourceItem {
  return { key, value: kind === "put" ? data : undefined, origin: `${bucket}@${revision}` };
}

/** The word of an orchestrator that the bucket has everything. */
export interface BucketCompleteMarker {
  readonly revision: number;
  readonly time: bigint;
  /** How many values the bucket had when it was written, if it says so. */
  readonly values: number | undefined;
}

function completeMarker({ data, revision, time }: BucketEntry): BucketCompleteMarker {
  let values: unknown;
  try {
    const content: unknown = JSON.parse(Buffer.from(data).toString("utf8"));
    if (typeof content === "object" && content !== null && "values" in content) values = content.values;
  } catch (error) {
    // Whatever is in it: that it is there says what it says.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { revision, time, values: typeof values === "number" ? values : undefined };
}

/**
 * One reading of everything that the bucket has for the agent, and what it tells about the time since `before`.
 * A key written in two spellings (`.` and `=2E`) is one key, and the later entry counts.
 */
export class BucketReading {
  private readonly label: string;
  private readonly bucket: Bucket;
  private readonly before: BucketPosition | undefined;
  private readonly values = new Map<string, SourceItem>();
  private readonly deletedKeys = new Map<string, SourceItem>();
  private readonly revisions: number[] = [];
  private readonly deleteRevisions: number[] = [];
  /** Keys of the bucket that have a value. */
  readonly live = new Set<string>();
  record: BucketRecordSeen = NO_RECORD;
  private complete: BucketCompleteMarker | undefined;
  private revision = 0;
  private time = 0n;
  private news = 0;
  private newDeletes = 0;
  private expired = 0;
  private hasLast = false;
  private rewritten = false;

  constructor(label: string, bucket: Bucket, before: BucketPosition | undefined) {
    this.label = label;
    this.bucket = bucket;
    this.before = before;
  }

  /** Entries that were read. */
  count = 0;

  add(entry: BucketEntry): void {
    this.count += 1;
    this.compare(entry);
    const meaning = meaningOf(this.label, entry);
    switch (meaning.kind) {
      case "record":
        this.record = recordOf(entry);
        break;
      case "complete":
        this.complete = completeMarker(entry);
        break;
      case "value":
        this.live.add(entry.key);
        this.revisions.push(entry.revision);
        this.values.set(meaning.key, itemOf(this.bucket.name, meaning.key, entry));
        this.deletedKeys.delete(meaning.key);
        break;
      case "deleted":
        this.delete(meaning.key, entry);
        break;
      case "expired":
        this.expired += 1;
        break;
      case "reserved":
    }
  }

  get items(): readonly SourceItem[] {
    return [...this.values.values()];
  }

  /** What somebody deleted after everything that had been read before. */
  get deletes(): readonly SourceItem[] {
    return [...this.deletedKeys.values()];
  }

  /** Is there the word that these are all values, given after what was read before? */
  isComplete(): boolean {
    const marker = this.complete;
    if (marker === undefined) return false;
    const isNews = this.before !== undefined && marker.time > BigInt(this.before.time);
    if (marker.values === undefined) return isNews;
    // Values that were overwritten or deleted since are there with a later revision, as are new ones.
    const earlier = this.revisions.filter((revision) => revision < marker.revision).length;
    const deleted = this.deleteRevisions.filter((revision) => revision > marker.revision).length;
    const fits = earlier <= marker.values && this.revisions.length + deleted >= marker.values;
    return fits && (isNews || this.before === undefined);
  }

  facts(): BucketFindings {
    return {
      bucket: this.bucket.name,
      info: this.bucket.info,
      record: this.record,
      values: this.live.size,
      news: this.news,
      deletes: this.newDeletes,
      expired: this.expired,
      hasLast: this.hasLast,
      rewritten: this.rewritten,
    };
  }

  /** Where the reading has come to. */
  position(epoch: string, record: number): BucketPosition {
    const { created, state } = this.bucket.info;
    return {
      bucket: this.bucket.name,
      created,
      revision: this.revision,
      time: String(this.time),
      values: this.live.size,
      sequence: state.last_seq,
      written: state.last_ts,
      messages: state.messages,
      epoch,
      record,
    };
  }

  private compare({ revision, time, kind }: BucketEntry): void {
    this.revision = Math.max(this.revision, revision);
    if (time > this.time) this.time = time;
    const before = this.before;
    if (before === undefined) return;
    if (revision > before.revision) {
      if (kind === "put") this.news += 1;
      if (kind === "delete") this.newDeletes += 1;
    } else if (time > BigInt(before.time)) this.rewritten = true;
    if (revision === before.revision) this.hasLast = true;
  }

  private delete(key: string, entry: BucketEntry): void {
    this.values.delete(key);
    this.deleteRevisions.push(entry.revision);
    // One that is older than what was read was read too, or is from a state that the bucket was set back to.
    const isNews = this.before === undefined || entry.time > BigInt(this.before.time);
    if (isNews) this.deletedKeys.set(key, itemOf(this.bucket.name, key, entry));
  }
}
