import { z } from "zod";
import type { TopicFacts } from "./connection/topic-facts.js";

const offset = z.string().regex(/^\d+$/);

/**
 * How far the topic of the desired state was read, as it is stored with the values. Small whatever the number of keys.
 */
export const positionSchema = z.object({
  topic: z.string(),
  /** The topic's identity; empty from brokers that give none. */
  id: z.string(),
  partitions: z.array(
    z.object({
      partition: z.number(),
      /** Where the partition began when it was read as a whole. */
      low: offset,
      /** Offset of the next record. */
      next: offset,
      /** Leadership under which the last record was written; -1: not known. */
      leadership: z.number(),
    }),
  ),
  /** The latest time of a record that was read, ms since 1970, as its producer or the broker gave it. */
  time: z.string().regex(/^-?\d+$/),
  /** Our own record in the topic: the history that it is of, and its number in it. 0: there is none. */
  epoch: z.string(),
  count: z.number(),
});
export type TopicPosition = z.infer<typeof positionSchema>;

/** Our record as the topic has it. */
export interface TopicRecordSeen {
  readonly epoch: string;
  readonly count: number;
}

/** What a reading of the whole topic found. */
export interface Found {
  readonly record: TopicRecordSeen | undefined;
  /** Is there a record at an offset that was read before, with a time that no record had that was read before? */
  readonly rewritten: boolean;
}

/**
 * Why it cannot be said that the topic has everything that it had at `before`; `undefined`: it is the same topic and has gone on from
 * there, so that what is absent was deleted, and its tombstone compacted away.
 *
 * The proof: the topic has the same identity; nothing was deleted from its beginning, which compaction does not do; what was read under
 * a leadership is there under the present one; and a record of our own, which is not compacted away before its successor is there, has not
 * gone back.
 */
export async function gapSince(
  before: TopicPosition | undefined,
  topic: string,
  facts: TopicFacts,
  policy: string | undefined,
  found: Found,
): Promise<string | undefined> {
  if (before === undefined) return `it is not known what was read from topic ${topic} before`;
  if (before.topic !== topic) return `topic ${before.topic} was read before, and now ${topic}`;
  if (facts.id !== undefined && before.id !== "" && before.id !== facts.id) {
    return `topic ${topic} is another one than before: it was deleted and made anew`;
  }
  const moved = await movedBack(before, topic, facts);
  if (moved !== undefined) return moved;
  if (found.rewritten) return `topic ${topic} was set back: there is another record where one was read before`;
  const lost = lostRecord(before, topic, found.record);
  if (lost !== undefined) return lost;
  if (before.count === 0 && facts.id === undefined) {
    return `nothing of ours was in topic ${topic} that would show whether it lost something`;
  }
  const losesValues = policy?.split(",").includes("delete") === true;
  return losesValues ? `topic ${topic} loses values by itself: its cleanup.policy is ${policy}` : undefined;
}

async function movedBack(before: TopicPosition, topic: string, facts: TopicFacts): Promise<string | undefined> {
  for (const { partition, low, next, leadership } of before.partitions) {
    const now = facts.partitions.find((one) => one.partition === partition);
    const name = before.partitions.length > 1 ? `partition ${partition} of topic ${topic}` : `topic ${topic}`;
    if (now === undefined) return `${name} is not there any more`;
    if (BigInt(now.low) > BigInt(low)) return `the records of ${name} before offset ${now.low} were deleted`;
    if (BigInt(now.high) < BigInt(next)) return `${name} went back from offset ${next} to ${now.high}`;
    if (leadership < 0) continue;
    const leader = facts.leaders.get(partition);
    if (leader !== undefined && leader.epoch >= 0 && leader.epoch < leadership) return `${name} was set back`;
    const end = await facts.endOfEpoch(partition, leadership);
    if (end !== undefined && end < BigInt(next)) {
      return `${name} lost its records from offset ${end} on: its leader did not have what was read up to ${next}`;
    }
  }
  return undefined;
}

function lostRecord(before: TopicPosition, topic: string, record: TopicRecordSeen | undefined): string | undefined {
  if (before.count === 0) return undefined;
  if (record === undefined) return `topic ${topic} lost the record of this agent (tenuto/epoch)`;
  if (record.epoch === before.epoch && record.count >= before.count) return undefined;
  return `topic ${topic} has another record of this agent than was written last: it was set back, or somebody else wrote it`;
}
