import type { Scheduler } from "#core/scheduler/api/token.js";
import type { Store } from "#plugins/store/index.js";

const NOTE = "orchestrator/seq";

/**
 * Makes the numbers of transactions unique for the life of the store: an agent that starts again counts on. The number goes
 * to the disk with every answer, so no two answers share one; after a crash those that the agent gave to transactions of its
 * own since the last answer may come again.
 */
export class Numbering {
  private last = 0;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly store: Store,
  ) {}

  /** Before the first transaction. Returns the function that ends it. */
  begin(): () => void {
    const stored = this.store.notes().get(NOTE);
    this.last = typeof stored === "number" ? stored : 0;
    this.scheduler.continueAfter(this.last);
    return this.scheduler.watchTransactions(({ seq }) => {
      this.last = seq;
    });
  }

  /** To be written down with whatever is written next. */
  notes(): ReadonlyMap<string, number> {
    return new Map([[NOTE, this.last]]);
  }
}
