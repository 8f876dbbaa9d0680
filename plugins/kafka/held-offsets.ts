import type { MessageOrigin } from "./message.js";

/**
 * Offsets that the group must not go beyond: those of the first parts of transactions that are not complete. An agent that
 * starts again reads them again, and so gets such a transaction whole.
 */
export class HeldOffsets {
  /** By transaction id. */
  private readonly first = new Map<string, MessageOrigin>();

  hold(id: string, origin: MessageOrigin): void {
    if (!this.first.has(id)) this.first.set(id, origin);
  }

  release(id: string): void {
    this.first.delete(id);
  }

  /** Where the group may go on once everything up to `done` in a partition is done. */
  limit({ topic, partition }: Omit<MessageOrigin, "offset">, done: string): string {
    let limit = BigInt(done) + 1n;
    for (const held of this.first.values()) {
      const here = held.topic === topic && held.partition === partition;
      if (here && BigInt(held.offset) < limit) limit = BigInt(held.offset);
    }
    return String(limit);
  }
}
