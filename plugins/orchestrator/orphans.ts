import { errorMessage } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import type { Absence } from "#core/northbound/index.js";
import type { Scheduler } from "#core/scheduler/token.js";
import type { TransactionRecord } from "#core/scheduler/types.js";
import type { Store } from "#plugins/store/index.js";
import type { Committer } from "./committer.js";
import type { DesiredState } from "./desired-state.js";

/**
 * What the first resync finds below, made by an earlier run of the agent, and wanted by nobody.
 *
 * A store that is complete knows all that was ever wanted, so such a value was given up and is removed. Without one (a new,
 * switched off or damaged store) somebody may still want it and just not have said so: a bus may be away, a transaction
 * may be sent again. Then it is left alone until
 *
 * - every source has delivered its first snapshot and one of them wanted something (not when the store was damaged:
 *   what was set by request is lost then), or
 * - a `REPLACE` transaction or a resync by request says that what is wanted now is all there is.
 */
export class Orphans {
  private readonly silent: Set<string>;

  constructor(
    private readonly committer: Committer,
    private readonly desired: DesiredState,
    private readonly scheduler: Scheduler,
    private readonly store: Store,
    private readonly log: Logger,
    /** Names of the sources, the store's own not among them. */
    private readonly sources: readonly string[],
  ) {
    this.silent = new Set(sources);
  }

  /** The first transaction of the agent's life: what is wanted, as far as known, meets what is below. */
  async firstResync(): Promise<void> {
    await this.committer.exclusively(async () => {
      const keep = !this.store.complete;
      const { error } = await this.committer.resync("start of the agent", keep);
      if (error !== "") this.log.warn({ error }, "the first resync could not do everything");
      if (!keep) return;
      const count = this.count();
      // With an error it may not have seen everything that is below.
      if (count === 0 && error === "") await this.markComplete();
      if (count > 0)
        this.log.warn({ count }, "values of an earlier run that nobody wants are left alone; a resync removes them");
    });
  }

  /** A source has delivered a snapshot. */
  sourceSpoke(source: string, absence: Absence): void {
    if (absence.kind !== "unknown") this.silent.delete(source);
    if (this.silent.size > 0 || this.store.complete || this.store.damaged) return;
    if (this.sources.some((name) => this.desired.of(name).size > 0)) this.settle();
  }

  /** What is wanted now is all there is: the rest goes. */
  settle(): void {
    if (this.store.complete) return;
    this.committer
      .exclusively(async () => {
        if (this.store.complete) return;
        if (this.count() > 0) await this.committer.resync("removal of what nobody wants", false);
        await this.markComplete();
      })
      .catch((error: unknown) =>
        this.log.error({ err: error }, `values that nobody wants stay: ${errorMessage(error)}`),
      );
  }

  /** A resync on request. */
  async resync(): Promise<TransactionRecord> {
    return await this.committer.exclusively(async () => {
      const record = await this.committer.resync("resync by request", false);
      await this.markComplete();
      return record;
    });
  }

  private count(): number {
    return this.scheduler.statuses().filter(({ state }) => state === "DISCOVERED").length;
  }

  private async markComplete(): Promise<void> {
    if (!this.store.complete) await this.store.write({ complete: true });
  }
}
