/** Named records. One write at a time. */
export interface Records {
  /** Resolves when all of it is durable; on rejection none of it counts. `undefined` removes a record. */
  write(changes: ReadonlyMap<string, unknown>): Promise<void>;
  read(key: string): Promise<unknown>;
  close(): Promise<void>;
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

  async read(key: string): Promise<unknown> {
    return this.records.get(key);
  }

  async close(): Promise<void> {
    this.records.clear();
  }
}
