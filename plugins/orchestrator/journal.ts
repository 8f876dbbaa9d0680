import type { HistoryEntry } from "#core/northbound/index.js";
import type { TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { operationOf, outcomeOf } from "./results.js";

/** Who caused a transaction of the scheduler. */
export interface Cause {
  readonly id: string;
  /** The endpoint that brought it, or the source whose values changed. */
  readonly source: string;
  /** It was refused whole, for an invalid value. */
  readonly refused?: boolean;
}

/** More than the scheduler's own history keeps. */
const MAX_CAUSES = 10_000;

/** Knows the causes of the scheduler's transactions, which itself counts them only. */
export class Journal {
  private readonly causes = new Map<number, Cause>();

  remember(seq: number, cause: Cause): void {
    if (seq === 0) return;
    this.causes.set(seq, cause);
    if (this.causes.size <= MAX_CAUSES) return;
    const [oldest] = this.causes.keys();
    if (oldest !== undefined) this.causes.delete(oldest);
  }

  entry(record: TransactionRecord): HistoryEntry {
    const { id, source, refused = false } = this.causes.get(record.seq) ?? ownCause(record);
    return {
      seq: record.seq,
      id,
      description: record.description,
      kind: record.kind,
      source,
      start: new Date(record.start).toISOString(),
      stop: new Date(record.stop).toISOString(),
      outcome: refused ? "REJECTED" : outcomeOf(record),
      error: record.error,
      planned: record.planned.map(operationOf),
      executed: record.executed.map(operationOf),
    };
  }
}

/** The scheduler's own transactions (a retry, a notification) have no id: they are named after their kind and number. */
export function ownCause({ kind, seq }: TransactionRecord): Cause {
  return { id: `${kind}-${seq}`, source: "scheduler" };
}
