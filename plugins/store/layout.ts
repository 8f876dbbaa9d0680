import type { TransactionResult } from "#core/northbound/index.js";

/** Names of the records. A source's name has no slash. */
export const COMPLETE = "complete";

const VALUE = "value/";
const RESULT = "result/";
const NOTE = "note/";

export function valueRecord(source: string, key: string): string {
  return `${VALUE}${source}/${key}`;
}

export function resultRecord(id: string): string {
  return `${RESULT}${id}`;
}

export function noteRecord(name: string): string {
  return `${NOTE}${name}`;
}

/** Content of a `result/` record. */
export interface StoredResult {
  /** When it was stored, ms since the epoch. */
  readonly at: number;
  readonly result: TransactionResult;
}

/** What the records of a store say, sorted out. */
export interface StoreContents {
  readonly values: ReadonlyMap<string, ReadonlyMap<string, object>>;
  /** By transaction id, oldest first. */
  readonly results: ReadonlyMap<string, StoredResult>;
  readonly notes: ReadonlyMap<string, unknown>;
  readonly complete: boolean;
}

export function readContents(records: ReadonlyMap<string, unknown>): StoreContents {
  const values = new Map<string, Map<string, object>>();
  const results: [string, StoredResult][] = [];
  const notes = new Map<string, unknown>();
  for (const [name, record] of records) {
    if (name.startsWith(VALUE)) {
      const slash = name.indexOf("/", VALUE.length);
      const source = name.slice(VALUE.length, slash);
      const ofSource = values.get(source) ?? new Map<string, object>();
      values.set(source, ofSource.set(name.slice(slash + 1), record as object));
    } else if (name.startsWith(RESULT)) {
      results.push([name.slice(RESULT.length), record as StoredResult]);
    } else if (name.startsWith(NOTE)) {
      notes.set(name.slice(NOTE.length), record);
    }
  }
  results.sort(([, a], [, b]) => a.at - b.at);
  return { values, results: new Map(results), notes, complete: records.has(COMPLETE) };
}
