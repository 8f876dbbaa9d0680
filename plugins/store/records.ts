/** `undefined` removes the record. */
export type RecordEntry = readonly [name: string, value: unknown];

/** Named records. One write at a time. */
export interface Records {
  /** Resolves when all of it is durable; on rejection none of it counts. `undefined` removes a record. */
  write(changes: ReadonlyMap<string, unknown>): Promise<void>;
  /**
   * Begins with what a write of these records takes before anything is written, while others are at work. It may never be written.
   * No name comes twice.
   */
  prepare(entries: Iterable<RecordEntry>): PreparedRecords;
  read(key: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface PreparedRecords {
  /** The records, to be written as this very map; others may be set in it before. */
  complete(): Map<string, unknown>;
  /** They will not be written. */
  discard(): void;
}

/** The records of a store that is switched off. */
export class VolatileRecords implements Records {
  private readonly records = new Map<string, unknown>();

  async write(changes: ReadonlyMap<string, unknown>): Promise<void> {
    for (const [key, value] of changes) {
      if (value === undefined) this.records.delete(key);
      else this.records.set(key, value);
    }
  }

  prepare(entries: Iterable<RecordEntry>): PreparedRecords {
    return { complete: () => new Map(entries), discard: () => undefined };
  }

  async read(key: string): Promise<unknown> {
    return this.records.get(key);
  }

  async close(): Promise<void> {
    this.records.clear();
  }
}
