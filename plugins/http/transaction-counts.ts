import type { Scheduler, TransactionRecord } from "#core/scheduler/api/scheduler.js";

/** Counts finished transactions for the metrics, since the history forgets old ones. */
export class TransactionCounts {
  private readonly counts = new Map<string, { readonly kind: string; readonly result: string; count: number }>();
  private seconds = 0;
  private operations = 0;
  private unwatch: (() => void) | undefined;

  /** Counts from now on. */
  watch(scheduler: Scheduler): void {
    this.unwatch = scheduler.watchTransactions((record) => this.add(record));
  }

  /** Transactions by kind and result (`ok`, `error`, `reverted`). */
  byKindAndResult(): readonly { readonly kind: string; readonly result: string; readonly count: number }[] {
    return [...this.counts.values()];
  }

  /** Time spent in transactions, in seconds. */
  get totalSeconds(): number {
    return this.seconds;
  }

  get totalOperations(): number {
    return this.operations;
  }

  close(): void {
    this.unwatch?.();
  }

  private add(record: TransactionRecord): void {
    const result = record.reverted ? "reverted" : record.error === "" ? "ok" : "error";
    const entry = this.counts.get(`${record.kind} ${result}`) ?? { kind: record.kind, result, count: 0 };
    entry.count += 1;
    this.counts.set(`${record.kind} ${result}`, entry);
    this.seconds += (record.stop - record.start) / 1000;
    this.operations += record.executed.length;
  }
}
