import type { TransactionRecord } from "../api/scheduler.js";

export interface HistoryLimits {
  /** Transactions kept at most. */
  readonly maxRecords: number;
  /** Operations kept at most, over all transactions; one huge transaction is kept whole. */
  readonly maxOperations: number;
  /** How long a transaction is kept, ms. */
  readonly maxAge: number;
}

export const DEFAULT_HISTORY: HistoryLimits = { maxRecords: 1_000, maxOperations: 100_000, maxAge: 24 * 3_600_000 };

/** Finished transactions, oldest first, bounded in count, size and age. */
export class History {
  private records: TransactionRecord[] = [];
  private operations = 0;

  constructor(private readonly limits: HistoryLimits) {}

  add(record: TransactionRecord): void {
    this.records.push(record);
    this.operations += record.executed.length;
    let drop = 0;
    while (
      drop < this.records.length - 1 &&
      this.isSurplus(this.records[drop], record.stop, this.records.length - drop)
    ) {
      this.operations -= this.records[drop]?.executed.length ?? 0;
      drop++;
    }
    if (drop > 0) this.records = this.records.slice(drop);
  }

  select(
    options: { readonly seq?: number; readonly since?: number; readonly until?: number } = {},
  ): readonly TransactionRecord[] {
    const { seq, since = -Infinity, until = Infinity } = options;
    return this.records.filter(
      (each) => (seq === undefined || each.seq === seq) && each.stop >= since && each.start <= until,
    );
  }

  private isSurplus(record: TransactionRecord | undefined, now: number, count: number): boolean {
    if (record === undefined) return false;
    return (
      count > this.limits.maxRecords ||
      this.operations > this.limits.maxOperations ||
      now - record.stop > this.limits.maxAge
    );
  }
}
