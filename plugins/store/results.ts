import type { Outcome, TransactionResult } from "#core/northbound/index.js";
import { resultRecord, type StoredResult } from "./layout.js";

export interface ResultLimits {
  /** How many answers are kept. */
  readonly maxCount: number;
  /** How long they are kept, ms. */
  readonly maxAge: number;
}

interface Entry {
  readonly at: number;
  readonly outcome: Outcome;
}

/** Values and operations that a stored answer has at most. */
const MAX_ENTRIES = 1000;
/** So many answers go at once, that a full index does not cost a deletion for every answer. */
const EVICTION = 64;

/** Which answers are in the store, oldest first. The answers themselves stay on disk. */
export class ResultIndex {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly limits: ResultLimits,
    stored: ReadonlyMap<string, StoredResult>,
  ) {
    for (const [id, { at, result }] of stored) this.entries.set(id, { at, outcome: result.outcome });
  }

  has(id: string): boolean {
    return this.entries.has(id);
  }

  withOutcome(outcome: Outcome): readonly string[] {
    return [...this.entries].filter(([, entry]) => entry.outcome === outcome).map(([id]) => id);
  }

  /** The records to write for a new answer: the answer, and the removal of those that are too many or too old. */
  *add(result: TransactionResult, at: number): Generator<readonly [string, StoredResult | undefined]> {
    this.entries.delete(result.id);
    this.entries.set(result.id, { at, outcome: result.outcome });
    yield [resultRecord(result.id), { at, result: shortened(result) }];
    const excess = this.entries.size - this.limits.maxCount;
    let removable = excess > 0 ? excess + Math.min(EVICTION, this.limits.maxCount - 1) : 0;
    for (const [id, entry] of this.entries) {
      if (removable <= 0 && entry.at >= at - this.limits.maxAge) break;
      this.entries.delete(id);
      yield [resultRecord(id), undefined];
      removable -= 1;
    }
  }
}

/** What went wrong comes first, so that it survives. */
function shortened(result: TransactionResult): TransactionResult {
  if (result.values.length <= MAX_ENTRIES && result.operations.length <= MAX_ENTRIES) return result;
  return {
    ...result,
    values: worstFirst(result.values).slice(0, MAX_ENTRIES),
    operations: worstFirst(result.operations).slice(0, MAX_ENTRIES),
    truncated: true,
  };
}

function worstFirst<T extends { readonly state: string }>(entries: readonly T[]): readonly T[] {
  const bad = entries.filter(({ state }) => state !== "CONFIGURED");
  if (bad.length >= MAX_ENTRIES) return bad;
  for (const entry of entries) {
    if (bad.length >= MAX_ENTRIES) break;
    if (entry.state === "CONFIGURED") bad.push(entry);
  }
  return bad;
}
