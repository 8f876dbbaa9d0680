import type { AgentEvent } from "#core/northbound/index.js";
import type { TransactionRecord, ValueState, ValueStatusRecord } from "#core/scheduler/api/scheduler.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import type { DeferredEvents } from "./deferred-events.js";
import { ownCause } from "./journal.js";
import type { OrphanReport } from "./orphan-report.js";
import { flatten, outcomeOf, resultOf, statusOf } from "./results.js";

/** States of a derived value that its base speaks for. */
const QUIET: ReadonlySet<ValueState> = new Set(["CONFIGURED", "REMOVED", "NONEXISTENT", "OBTAINED", "DISCOVERED"]);

/** More than these follow the answer to the transaction. */
const FEW = 500;

/**
 * Publishes what happens to values, and the transactions that the scheduler makes by itself. Derived values are announced
 * while they are not as they should be, and once more when they are.
 */
export class StatusEvents {
  private readonly announced = new Set<string>();

  constructor(
    private readonly deferredEvents: DeferredEvents,
    private readonly orphans: OrphanReport,
  ) {}

  /** Returns the function that ends it. */
  watch(scheduler: Scheduler): () => void {
    const unwatchStatus = scheduler.watchStatus((statuses) => {
      if (statuses.length > FEW) this.deferredEvents.publishBehind(this.changes(statuses));
      else for (const event of this.changes(statuses)) this.deferredEvents.publish(event);
    });
    const unwatchTransactions = scheduler.watchTransactions((record) => this.transactionFinished(record));
    return () => {
      unwatchStatus();
      unwatchTransactions();
    };
  }

  private *changes(statuses: readonly ValueStatusRecord[]): Generator<AgentEvent> {
    for (const base of statuses) {
      yield this.valueEvent(base);
      if (base.derived.length === 0) continue;
      for (const derived of flatten(base).slice(1)) {
        const quiet = QUIET.has(derived.state);
        if (quiet && !this.announced.delete(derived.key)) continue;
        if (!quiet) this.announced.add(derived.key);
        yield this.valueEvent(derived);
      }
    }
  }

  private valueEvent(status: ValueStatusRecord): AgentEvent {
    return { kind: "value", key: status.key, data: this.orphans.explained(statusOf(status)) };
  }

  /** Those that were committed are announced with their answer, once it is stored. */
  private transactionFinished(record: TransactionRecord): void {
    if (record.kind === "update" || record.kind === "upstream-resync") return;
    const { id } = ownCause(record);
    this.deferredEvents.publish({ kind: "transaction", id, data: resultOf(id, outcomeOf(record), record) });
  }
}
