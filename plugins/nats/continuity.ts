import type { StreamInfo } from "nats";
import { z } from "zod";

/**
 * How far the bucket was read, as it is stored with the values. Small whatever the number of keys: the values themselves are with the
 * orchestrator.
 */
export const positionSchema = z.object({
  bucket: z.string(),
  /** When the bucket's stream was made. */
  created: z.string(),
  /** Of the last entry that was read. */
  revision: z.number(),
  /** The latest time at which an entry that was read had been written, by the broker's clock: nanoseconds since 1970. */
  time: z.string().regex(/^\d+$/),
  /** Number of values. */
  values: z.number(),
  /** The stream when it was last looked at: its last sequence number, when that was written, and its number of messages. */
  sequence: z.number(),
  written: z.string(),
  messages: z.number(),
  /** Our own record in the bucket: what it says, and its revision. 0: there is none. */
  epoch: z.string(),
  record: z.number(),
});
export type BucketPosition = z.infer<typeof positionSchema>;

/** What a reading of the bucket found. */
export interface BucketFindings {
  readonly bucket: string;
  /** The stream, before the reading began. */
  readonly info: StreamInfo;
  /** Our record as it was read. `revision` is that of its delete marker if it was deleted, 0 if there is nothing. */
  readonly record: { readonly epoch: string | undefined; readonly revision: number };
  readonly values: number;
  /** Values and delete markers beyond the revision that was read before. */
  readonly news: number;
  readonly deletes: number;
  /** Values that the server says have expired. */
  readonly expired: number;
  /** Is the entry there that was read last? */
  readonly hasLast: boolean;
  /** Is there an entry that has a revision that was read before, and was written after that? */
  readonly rewritten: boolean;
}

/** Why a value may be gone from the stream without anybody's having deleted it, by its configuration. */
export function mayForget({ config }: StreamInfo): string | undefined {
  const ttl = "allow_msg_ttl" in config && config.allow_msg_ttl === true;
  if (config.max_age > 0) return `its values expire after ${config.max_age / 1e9} s (max_age)`;
  if (ttl) return "its values may have a time to live";
  if (config.retention !== "limits") return `its retention policy is ${config.retention}`;
  const limits = [
    ...(config.max_bytes > 0 ? [`${config.max_bytes} bytes`] : []),
    ...(config.max_msgs > 0 ? [`${config.max_msgs} values`] : []),
  ];
  if (config.discard === "old" && limits.length > 0)
    return `it discards its oldest values beyond ${limits.join(" or ")}`;
  return undefined;
}

/**
 * Why it cannot be said that the bucket has everything that it had at `before`; `undefined`: it is the same bucket and has gone on
 * from there, so that what is absent was deleted.
 *
 * The proof is a record of our own: it was written when everything before it had been read. A bucket that lost its end, or was set
 * back to an older state, does not have it, however much was written to it since. What vanishes from the middle leaves fewer values
 * behind than writes can explain: every delete was a write as well.
 */
export function gapSince(before: BucketPosition | undefined, reading: BucketFindings): string | undefined {
  const { info, record } = reading;
  const bucket = `bucket ${reading.bucket}`;
  const { created, state } = info;
  if (before === undefined) return `it is not known what was read from ${bucket} before`;
  if (before.bucket !== reading.bucket) return `${before.bucket} was read before, and now ${bucket}`;
  if (before.created !== created) return `${bucket} is another one than before: it was made at ${created}`;
  if (state.last_seq < before.sequence) {
    return `${bucket} went back from revision ${before.sequence} to ${state.last_seq}`;
  }
  if (reading.expired > 0) return `values of ${bucket} expired (${reading.expired})`;
  const unchanged =
    state.last_seq === before.sequence && state.last_ts === before.written && state.messages === before.messages;
  if (unchanged && before.record === record.revision) return undefined;
  if (before.record === 0) return `nothing of ours was in ${bucket} that would show whether it lost something`;
  if (record.epoch === undefined)
    return `${bucket} lost the record of this agent (tenuto/epoch, revision ${before.record})`;
  if (record.epoch !== before.epoch || record.revision < before.record) {
    return `${bucket} has another record of this agent than was written last: it was set back, or somebody else wrote it`;
  }
  const proven = record.revision >= before.revision || reading.hasLast;
  if (reading.rewritten || !proven) return `${bucket} may have been set back: what was read last is not there any more`;
  return lostInside(before, reading) ?? losesByItself(bucket, info);
}

/** Values that vanished from between the others. */
function lostInside(
  before: BucketPosition,
  { bucket, info, values, news, deletes }: BucketFindings,
): string | undefined {
  const { state } = info;
  const lost = state.lost?.msgs?.length ?? 0;
  if (lost > 0) return `the server says that bucket ${bucket} lost ${lost} messages`;
  const writes = state.last_seq - before.sequence;
  const vanished = before.messages - state.messages;
  if (vanished > writes) return `${vanished} messages vanished from bucket ${bucket}, and only ${writes} were written`;
  const absent = before.values - deletes - values;
  const unseen = state.last_seq - before.revision - news - deletes;
  if (absent > unseen) return `${absent} values vanished from bucket ${bucket} and nobody deleted them`;
  return undefined;
}

function losesByItself(bucket: string, info: StreamInfo): string | undefined {
  const reason = mayForget(info);
  return reason === undefined ? undefined : `${bucket} may lose values by itself: ${reason}`;
}
