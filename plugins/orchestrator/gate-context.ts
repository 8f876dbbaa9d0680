import type {
  DesiredView,
  EventPublisher,
  GateContext,
  GateTransaction,
  KeyValue,
  TransactionResult,
} from "#core/northbound/index.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import type { Committer } from "./committer.js";
import type { DesiredState } from "./desired-state.js";
import type { Gates } from "./gates.js";
import type { Journal } from "./journal.js";
import { outcomeOf, resultOf } from "./results.js";

/** Lets a gate of the flavor apply what it held back. */
export class CommitterGateContext implements GateContext {
  readonly desired: DesiredView;

  constructor(
    /** The name of the gate, for the history. */
    private readonly source: string,
    private readonly committer: Committer,
    desired: DesiredState,
    private readonly gates: Gates,
    private readonly scheduler: Scheduler,
    private readonly journal: Journal,
    private readonly events: EventPublisher,
  ) {
    this.desired = {
      get: (key: string): object | undefined => desired.get(key)?.value,
      merged: (prefix?: string): readonly KeyValue[] => desired.merged(prefix),
    };
  }

  async apply({ id, description, changes }: GateTransaction): Promise<TransactionResult> {
    return await this.committer.exclusively(async () => {
      const handed = changes();
      if (handed.size === 0) return { id, seq: 0, outcome: "APPLIED", error: "", values: [], operations: [] };
      const record = await this.scheduler.commit({ description, changes: handed });
      this.journal.remember(record.seq, { id, source: this.source });
      const result = resultOf(id, outcomeOf(record), record);
      this.gates.announce(handed.keys());
      this.events.publish({ kind: "transaction", id, data: result });
      return result;
    });
  }

  settled(): Promise<void> {
    return this.committer.idle();
  }
}
