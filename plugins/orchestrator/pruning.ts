import { randomUUID } from "node:crypto";
import type { TransactionResult } from "#core/northbound/index.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import type { Committer } from "./committer.js";
import type { DesiredState } from "./desired-state.js";
import type { Journal } from "./journal.js";
import type { OrphanReport } from "./orphan-report.js";
import { outcomeOf, resultOf } from "./results.js";

/** Removes what nobody asks for any more, because an operator said so, and says of each value who had lost it. */
export class Pruning {
  constructor(
    private readonly committer: Committer,
    private readonly desired: DesiredState,
    private readonly scheduler: Scheduler,
    private readonly journal: Journal,
    private readonly report: OrphanReport,
  ) {}

  /** What {@link run} would do now. */
  async plan(): Promise<TransactionResult> {
    return await this.committer.exclusively(async () => {
      const details = this.details();
      const { record } = await this.committer.prune({ description: "prune", marked: true, simulate: true });
      return explained(resultOf(randomUUID(), "PLANNED", record), details);
    });
  }

  /** @param problem what could not be read before */
  async run(problem: string): Promise<TransactionResult> {
    const { conclusion } = await this.committer.exclusively(async () => {
      const id = randomUUID();
      const details = this.details();
      const { record, others, notes } = await this.committer.prune({ description: `prune ${id}`, marked: true });
      this.journal.remember(record.seq, { id, source: "orchestrator" });
      const error = [record.error, problem].filter((text) => text !== "").join("; ");
      const outcome = problem === "" ? outcomeOf(record) : "PARTIAL";
      const result = explained(resultOf(id, outcome, record, error), details);
      return { conclusion: this.committer.conclude(result, { others, notes, result }) };
    });
    return await conclusion;
  }

  /** Why each is orphaned, by key. */
  private details(): ReadonlyMap<string, string> {
    const details = new Map<string, string>();
    const note = (key: string): void => {
      const detail = this.report.detailOf(key, true);
      if (detail !== undefined) details.set(key, detail);
    };
    for (const { key } of this.scheduler.orphans()) note(key);
    for (const { key } of this.desired.orphans()) note(key);
    return details;
  }
}

function explained(result: TransactionResult, details: ReadonlyMap<string, string>): TransactionResult {
  const values = result.values.map((status) => {
    const detail = details.get(status.key);
    return detail === undefined ? status : { ...status, details: [...status.details, detail] };
  });
  return { ...result, values };
}
