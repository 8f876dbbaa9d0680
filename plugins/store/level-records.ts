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
    const checksums = new Map<string, number | undefined>();
    const batch = this.database.batch();
    for (const [key, value] of changes) {
      // Encoding a hundred thousand values takes a second; others want to run in the meantime.
      if (checksums.size % ENCODED_AT_ONCE === ENCODED_AT_ONCE - 1) await setImmediate();
      if (value === undefined) {
        batch.del(key);
        checksums.set(key, undefined);
      } else {
        const record = encodeRecord(key, value);
        batch.put(key, record.text);
        checksums.set(key, record.checksum);
      }
    }
    const before = this.exchange(checksums);
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
      this.exchange(before);
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

  /** Puts the checksums into the digest and returns those they replaced. */
  private exchange(checksums: ReadonlyMap<string, number | undefined>): ReadonlyMap<string, number | undefined> {
    const before = new Map<string, number | undefined>();
    for (const [key, checksum] of checksums) {
      before.set(key, this.digest.get(key));
      this.digest.set(key, checksum);
    }
    return before;
  }
}
