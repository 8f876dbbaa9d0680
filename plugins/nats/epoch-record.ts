import { randomUUID } from "node:crypto";
import { ErrorCode, headers, NatsError } from "nats";
import { BusError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import { pause } from "#core/northbound/backoff.js";
import { configBucketKey, EPOCH_RECORD } from "#proto/nats.js";
import type { BucketEntry } from "./bucket-reader.js";
import type { Bucket } from "./buckets.js";

/** A record is written at most so often, ms. */
const INTERVAL = 2_000;
/** One that cannot be written is tried again after a pause that doubles, up to this, ms. */
const LONGEST_PAUSE = 10 * 60_000;
/** JetStream: the entry is not at the revision that was expected. */
const WRONG_LAST_SEQUENCE = 10071;
const EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence";

/** Our record as the bucket has it. */
export interface BucketRecordSeen {
  /** `undefined`: there is none, or one that says nothing. */
  readonly epoch: string | undefined;
  /** Of its entry, also of its delete marker. 0: nothing was ever written, or everything is gone. */
  readonly revision: number;
}

export const NO_RECORD: BucketRecordSeen = { epoch: undefined, revision: 0 };

export function recordOf({ kind, data, revision }: BucketEntry): BucketRecordSeen {
  if (kind !== "put") return { epoch: undefined, revision };
  try {
    const content: unknown = JSON.parse(Buffer.from(data).toString("utf8"));
    const epoch = typeof content === "object" && content !== null && "epoch" in content ? content.epoch : undefined;
    return { epoch: typeof epoch === "string" ? epoch : undefined, revision };
  } catch (error) {
    if (error instanceof SyntaxError) return { epoch: undefined, revision };
    throw error;
  }
}

/** A history of the bucket begins: whatever came before cannot be compared with it. */
export function newEpoch(): string {
  return randomUUID();
}

/**
 * Writes the record `<label>.tenuto/epoch` of what was read of the bucket, after it was stored. It is what shows later that the bucket
 * has gone on from there, and was not set back and written to again.
 */
export class BucketEpochRecords {
  private readonly label: string;
  private readonly log: Logger;
  /** Records in a row that could not be written. */
  private failures = 0;
  private next = Number.NEGATIVE_INFINITY;

  constructor(label: string, log: Logger) {
    this.label = label;
    this.log = log;
  }

  get key(): string {
    return configBucketKey(this.label, EPOCH_RECORD);
  }

  /** Another connection may have other rights, and a broker that has just come may not be ready yet. */
  renew(): void {
    if (this.failures > 0) this.next = performance.now() + INTERVAL;
    this.failures = Math.min(this.failures, 1);
  }

  /** How long, ms, until a record may be written. */
  get wait(): number {
    return Math.max(0, this.next - performance.now());
  }

  /**
   * Returns the revision of the record; 0 when it may not be written. Throws when the record that is to be replaced is not there any
   * more: then the bucket is not what it was.
   */
  async write(bucket: Bucket, epoch: string, read: number, replaces: number): Promise<number> {
    this.next = performance.now() + INTERVAL;
    const head = headers();
    head.set(EXPECTED_SEQUENCE, String(replaces));
    const content = Buffer.from(JSON.stringify({ epoch, read }));
    try {
      const { seq } = await bucket.jetstream.publish(bucket.writePrefix + this.key, content, { headers: head });
      this.failures = 0;
      return seq;
    } catch (error) {
      if (!(error instanceof NatsError)) throw error;
      if (error.api_error?.err_code === WRONG_LAST_SEQUENCE) {
        throw new BusError("RECORD_GONE", `the record of this agent in bucket ${bucket.name} was replaced or is gone`);
      }
      if (!isRefused(error)) throw error;
      this.failures += 1;
      this.next = performance.now() + Math.min(INTERVAL * 2 ** this.failures, LONGEST_PAUSE);
      // Once is what happens while a broker starts.
      if (this.failures === (error.code === ErrorCode.PermissionsViolation ? 1 : 2)) {
        this.log.warn(
          `nothing can be written to ${this.key} of bucket ${bucket.name} (${error.message}): ` +
            "what vanishes from it while the agent is away can then not be told from what was deleted",
        );
      }
      return 0;
    }
  }
}

/** The account has no right to, or nobody takes it: a mirror whose origin is away. */
function isRefused({ code }: NatsError): boolean {
  return code === ErrorCode.PermissionsViolation || code === ErrorCode.NoResponders || code === ErrorCode.Timeout;
}

/** Waits until a record may be written. */
export async function turnOf(records: BucketEpochRecords, signal: AbortSignal): Promise<void> {
  while (records.wait > 0 && !signal.aborted) await pause(records.wait, signal);
}
