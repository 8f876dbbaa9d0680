import type { ClassicLevel } from "classic-level";
import { encodeRecord } from "./record.js";
import type { PreparedRecords, RecordEntry } from "./records.js";

/** A LevelDB batch while it is being filled. */
export class Draft {
  /** Of the records that are in it, in the order in which they were put in; `undefined` for those that it removes. */
  readonly checksums: (number | undefined)[] = [];
  private readonly values: unknown[] = [];

  constructor(readonly batch: ReturnType<ClassicLevel["batch"]>) {}

  /** How many records are in it. */
  get size(): number {
    return this.values.length;
  }

  put(name: string, value: unknown): void {
    this.values.push(value);
    if (value === undefined) {
      this.batch.del(name);
      this.checksums.push(undefined);
    } else {
      const { text, checksum } = encodeRecord(name, value);
      this.batch.put(name, text);
      this.checksums.push(checksum);
    }
  }

  /** Are the first of these records, which never lose one, as they are in it? One of them may have been set anew. */
  isBeginningOf(records: ReadonlyMap<string, unknown>): boolean {
    let place = 0;
    for (const value of records.values()) {
      if (place === this.values.length) break;
      if (value !== this.values[place++]) return false;
    }
    return place === this.values.length;
  }
}

/** Enough to be quick, and few enough that those who are waited for get their turn in time. */
const ENCODED_AT_ONCE = 500;

/** Fills a draft in turns of the event loop that others leave free. */
export class DraftedRecords implements PreparedRecords {
  private readonly records = new Map<string, unknown>();
  private readonly rest: Iterator<RecordEntry>;
  private turn: NodeJS.Immediate | undefined;
  private isComplete = false;

  constructor(
    readonly draft: Draft,
    entries: Iterable<RecordEntry>,
    private readonly discarded: (prepared: DraftedRecords) => void,
  ) {
    this.rest = entries[Symbol.iterator]();
    this.goOnSoon();
  }

  complete(): Map<string, unknown> {
    this.stop();
    this.isComplete = true;
    for (let next = this.rest.next(); !next.done; next = this.rest.next()) this.records.set(...next.value);
    return this.records;
  }

  discard(): void {
    this.stop();
    this.discarded(this);
  }

  /** Puts no more into the draft. */
  stop(): void {
    clearImmediate(this.turn);
  }

  /** Are these the records that it was made for? */
  isOf(records: ReadonlyMap<string, unknown>): boolean {
    return this.records === records;
  }

  /** Are these records about to be written, though as part of others? */
  isWithin(records: ReadonlyMap<string, unknown>): boolean {
    return this.isComplete && this.records !== records;
  }

  private goOnSoon(): void {
    this.turn = setImmediate(() => {
      for (let count = 0; count < ENCODED_AT_ONCE; count++) {
        const next = this.rest.next();
        if (next.done) return;
        const [name, value] = next.value;
        this.records.set(name, value);
        this.draft.put(name, value);
      }
      this.goOnSoon();
    });
  }
}
