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

export interface CommitterGateContextParts {
  /** The name of the gate, for the history. */
  readonly source: string;
  readonly committer: Committer;
  readonly desired: DesiredState;
  readonly gates: Gates;
  readonly scheduler: Scheduler;
  readonly journal: Journal;
  readonly events: EventPublisher;
}

/** Lets a gate of the flavor apply what it held back. */
export class CommitterGateContext implements GateContext {
  readonly desired: DesiredView;

  constructor(private readonly parts: CommitterGateContextParts) {
    const { desired } = parts;
    this.desired = {
      get: (key: string): object | undefined => desired.get(key)?.value,
      merged: (prefix?: string): readonly KeyValue[] => desired.merged(prefix),
    };
  }

  async apply({ id, description, changes }: GateTransaction): Promise<TransactionResult> {
    return await this.parts.committer.exclusively(async () => {
      const handed = changes();
      if (handed.size === 0) return { id, seq: 0, outcome: "APPLIED", error: "", values: [], operations: [] };
      const record = await this.parts.scheduler.commit({ description, changes: handed });
      this.parts.journal.remember(record.seq, { id, source: this.parts.source });
      const result = resultOf(id, outcomeOf(record), record);
      this.parts.gates.announce(handed.keys());
      this.parts.events.publish({ kind: "transaction", id, data: result });
      return result;
    });
  }

  settled(): Promise<void> {
    return this.parts.committer.idle();
  }
}
