import type { ReadMessage } from "./message.js";

/** Where a partition begins and ends, as the broker says it: `high` is the offset of the next message. */
export interface PartitionOffsets {
  readonly partition: number;
  readonly low: string;
  readonly high: string;
}

/** The first reading of a compacted topic: from its beginning up to where it ended when the reading began. */
export class Reading {
  /** What is left to be read: the offset to reach, by partition. */
  readonly #ends: Map<number, bigint>;
  readonly #last = new Map<string, ReadMessage>();
  /** Nothing was ever written to the topic, or everything is gone. */
  readonly empty: boolean;

  constructor(offsets: readonly PartitionOffsets[]) {
    const readable = offsets.filter(({ low, high }) => BigInt(low) < BigInt(high));
    this.#ends = new Map(readable.map(({ partition, high }) => [partition, BigInt(high)]));
    this.empty = readable.length === 0;
  }

  get complete(): boolean {
    return this.#ends.size === 0;
  }

  /** The last message of every key that has a value. */
  get messages(): readonly ReadMessage[] {
    return [...this.#last.values()];
  }

  put(key: string, read: ReadMessage): void {
    if (read.message.value === null) this.#last.delete(key);
    else this.#last.set(key, read);
  }

  /** Everything up to `lastOffset` of a partition has been read. */
  reached(partition: number, lastOffset: string): void {
    const end = this.#ends.get(partition);
    if (end !== undefined && BigInt(lastOffset) + 1n >= end) this.#ends.delete(partition);
  }
}
