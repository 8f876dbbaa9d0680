import { setImmediate } from "node:timers/promises";
import type { ClassicLevel } from "classic-level";
import type { AcknowledgedWrites } from "./acknowledged.js";
import { Draft, DraftedRecords } from "./draft.js";
import { decodeRecord, type SetDigest } from "./record.js";
import type { PreparedRecords, RecordEntry, Records } from "./records.js";
import type { Witness } from "./witness.js";

/** The record that describes all others. */
export interface Head {
  /** Layout of the records. */
  readonly format: number;
  /** Number of this write. */
  readonly commit: number;
  readonly records: number;
  readonly digest: number;
  /** Of the store; earlier versions had none. */
  readonly identity?: string;
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
  /** Not written yet. */
  private readonly prepared = new Set<DraftedRecords>();

  constructor(
    private readonly database: ClassicLevel,
    private readonly acknowledged: AcknowledgedWrites,
    private readonly digest: SetDigest,
    private commit: number,
    private readonly identity: string,
    private readonly witness: Witness | undefined,
  ) {}

  async write(changes: ReadonlyMap<string, unknown>): Promise<void> {
    if (this.broken) await this.reopen();
    const draft = this.draftOf(changes);
    let place = 0;
    for (const [key, value] of changes) {
      if (place++ < draft.size) continue;
      // Others want to run while a hundred thousand values are encoded.
      if (place % ENCODED_AT_ONCE === 0) await setImmediate();
      draft.put(key, value);
    }
    const before = this.exchange(changes.keys(), draft.checksums);
    const head: Head = {
      format: FORMAT,
      commit: this.commit + 1,
      records: this.digest.size,
      digest: this.digest.value,
      identity: this.identity,
    };
    draft.put(HEAD, head);
    try {
      await draft.batch.write({ sync: true });
    } catch (error) {
      this.exchange(changes.keys(), before);
      this.broken = true;
      // If it is never made up for, the store does not know of what this was about.
      this.witness?.note(this.identity, head.commit);
      throw error;
    }
    this.commit = head.commit;
    this.acknowledged.set(head.commit);
    this.witness?.note(this.identity, head.commit);
  }

  prepare(entries: Iterable<RecordEntry>): PreparedRecords {
    // Then they are encoded when it is open again.
    if (this.database.status !== "open") return { complete: () => new Map(entries), discard: () => undefined };
    const prepared = new DraftedRecords(new Draft(this.database.batch()), entries, (discarded) => this.drop(discarded));
    this.prepared.add(prepared);
    return prepared;
  }

  async read(key: string): Promise<unknown> {
    const text = await this.database.get(key);
    return text === undefined ? undefined : decodeRecord(key, text)?.value;
  }

  async close(): Promise<void> {
    this.giveUpPrepared();
    await this.database.close();
    this.acknowledged.close();
    this.witness?.close();
  }

  private async reopen(): Promise<void> {
    this.giveUpPrepared();
    await this.database.close();
    await this.database.open();
    this.broken = false;
  }

  /** What was prepared for these very records, or nothing yet. */
  private draftOf(records: ReadonlyMap<string, unknown>): Draft {
    let draft: Draft | undefined;
    for (const prepared of this.prepared) {
      if (prepared.isOf(records) && prepared.draft.isBeginningOf(records)) {
        this.prepared.delete(prepared);
        draft = prepared.draft;
      } else if (prepared.isOf(records) || prepared.isWithin(records)) {
        this.drop(prepared);
      }
    }
    return draft ?? new Draft(this.database.batch());
  }

  private drop(prepared: DraftedRecords): void {
    if (this.prepared.delete(prepared)) void prepared.draft.batch.close();
  }

  /** Its batches go with the database; what they were for is encoded anew when it is written. */
  private giveUpPrepared(): void {
    for (const prepared of this.prepared) prepared.stop();
    this.prepared.clear();
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
