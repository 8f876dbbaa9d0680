import { setImmediate } from "node:timers/promises";
import type { ClassicLevel } from "classic-level";
import type { AcknowledgedWrites } from "./acknowledged.js";
import { decodeRecord, encodeRecord, type SetDigest } from "./record.js";
import type { Records } from "./records.js";

/** The record that describes all others. */
export interface Head {
  /** Layout of the records. */
  readonly format: number;
  /** Number of this write. */
  readonly commit: number;
  readonly records: number;
  readonly digest: number;
}

export const HEAD = "head";
export const FORMAT = 1;

const ENCODED_AT_ONCE = 1000;

/**
 * Records in LevelDB. Every write is one LevelDB batch (all or nothing) with a fresh head, synchronised to disk. After a
 * failed write LevelDB refuses all others, so the next one opens the database again.
 */
export class LevelRecords implements Records {
  private broken = false;

  constructor(
    private readonly database: ClassicLevel,
    private readonly acknowledged: AcknowledgedWrites,
    private readonly digest: SetDigest,
    private commit: number,
  ) {}

  async write(changes: ReadonlyMap<string, unknown>): Promise<void> {
    if (this.broken) await this.reopen();
    const batch = this.database.batch();
    const checksums: (number | undefined)[] = [];
    for (const [key, value] of changes) {
      // Others want to run while a hundred thousand values are encoded.
      if (checksums.length % ENCODED_AT_ONCE === ENCODED_AT_ONCE - 1) await setImmediate();
      if (value === undefined) {
        batch.del(key);
        checksums.push(undefined);
      } else {
        const record = encodeRecord(key, value);
        batch.put(key, record.text);
        checksums.push(record.checksum);
      }
    }
    const before = this.exchange(changes.keys(), checksums);
    const head: Head = {
      format: FORMAT,
      commit: this.commit + 1,
      records: this.digest.size,
      digest: this.digest.value,
    };
    batch.put(HEAD, encodeRecord(HEAD, head).text);
    try {
      await batch.write({ sync: true });
    } catch (error) {
      this.exchange(changes.keys(), before);
      this.broken = true;
      throw error;
    }
    this.commit = head.commit;
    this.acknowledged.set(head.commit);
  }

  async read(key: string): Promise<unknown> {
    const text = await this.database.get(key);
    return text === undefined ? undefined : decodeRecord(key, text)?.value;
  }

  async close(): Promise<void> {
    await this.database.close();
    this.acknowledged.close();
  }

  private async reopen(): Promise<void> {
    await this.database.close();
    await this.database.open();
    this.broken = false;
  }

  /** Puts the checksums of these records into the digest and returns those they replaced. */
  private exchange(
    keys: Iterable<string>,
    checksums: readonly (number | undefined)[],
  ): readonly (number | undefined)[] {
    const before: (number | undefined)[] = [];
    for (const key of keys) before.push(this.digest.set(key, checksums[before.length]));
    return before;
  }
}
