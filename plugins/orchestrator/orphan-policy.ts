import { errorMessage } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import type { Absence } from "#core/northbound/index.js";
import type { TransactionRecord } from "#core/scheduler/api/scheduler.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import type { Store } from "#plugins/store/index.js";
import type { Committer } from "./committer.js";
import { REQUEST_SOURCE } from "./desired-state.js";
import { isMark, type OrphanMark } from "./orphan-mark.js";
import type { OrphanReport } from "./orphan-report.js";
import type { Requests } from "./requests.js";

const NOTE = "orchestrator/found";

export interface OrphanPolicyParts {
  readonly committer: Committer;
  readonly scheduler: Scheduler;
  readonly store: Store;
  readonly requests: Pick<Requests, "isAnyWaiting">;
  readonly report: OrphanReport;
  readonly log: Logger;
  /** Names of the sources, the requests not among them. */
  readonly sources: readonly string[];
}

/**
 * What the agent finds below, made by an earlier run of it, and desired by nobody.
 *
 * A store that is complete knows all that was ever desired, so such a value was given up and is removed. Without one (a new,
 * switched off or damaged store) somebody may still want it and just not have said so: a bus may be away, a transaction may
 * be sent again. Then it stays until somebody says something about it, an operator prunes, or everybody has said that what they
 * want now is all there is: every source by a complete snapshot, and the requests by a `REPLACE`.
 */
export class OrphanPolicy {
  /** Why there may be such values; the first reason that there was. */
  private mark: OrphanMark | undefined;
  /** Who has said that what they want is everything. */
  private readonly complete = new Set<string>();
  private isFirstDone = false;

  constructor(private readonly parts: OrphanPolicyParts) {}

  /** The first transaction of the agent's life: what is desired, as far as known, meets what is in the southbound. */
  async firstResync(): Promise<void> {
    this.remember();
    await this.parts.committer.exclusively(async () => {
      const { error } = await this.parts.committer.resync(
        "start of the agent",
        this.parts.store.complete ? "remove" : "keep",
      );
      if (error !== "") this.parts.log.warn({ error }, "the first resync could not do everything");
      const { orphanCount: count } = this.parts.scheduler;
      if (count > 0) this.parts.log.warn({ count }, "values were found that nobody asks for; they stay");
      // With an error it may not have seen everything that is in the southbound.
      this.isFirstDone = error === "";
      this.review();
    });
  }

  /** A source has delivered a snapshot. */
  sourceSpoke(source: string, { kind }: Absence): void {
    if (kind === "complete") this.isEverythingOf(source);
    else if (kind === "unknown") this.complete.delete(source);
  }

  /** A `REPLACE` was applied: what was set by request is all that should be. */
  requestsReplaced(): void {
    this.isEverythingOf(REQUEST_SOURCE.source);
  }

  /** A resync on request. It removes nothing that nobody spoke about. */
  async resync(description = "resync by request"): Promise<TransactionRecord> {
    return await this.parts.committer.exclusively(async () => {
      const record = await this.parts.committer.resync(description, "keep");
      this.isFirstDone ||= record.error === "";
      this.review();
      return record;
    });
  }

  /** Says which values are orphaned, and notes it once the store knows everything that is there. */
  review(): void {
    this.parts.report.review();
    if (this.parts.store.complete || !this.isFirstDone) return;
    // What a transaction took over that waits for its confirmation may still be given back.
    if (this.parts.scheduler.orphanCount > 0 || this.parts.requests.isAnyWaiting) return;
    this.mark = undefined;
    this.parts.report.found = undefined;
    this.parts.store.write({ complete: true, notes: new Map([[NOTE, undefined]]) }).catch((error: unknown) => {
      this.parts.log.error({ err: error }, "it could not be stored that the store is complete");
    });
  }

  private isEverythingOf(speaker: string): void {
    this.complete.add(speaker);
    if (
      this.parts.store.complete ||
      ![REQUEST_SOURCE.source, ...this.parts.sources].every((name) => this.complete.has(name))
    )
      return;
    this.parts.committer
      .exclusively(async () => {
        if (this.parts.scheduler.orphanCount > 0) {
          await this.parts.committer.prune({ description: "removal of what nobody wants", marked: false });
        }
        this.review();
      })
      .catch((error: unknown) =>
        this.parts.log.error({ err: error }, `values that nobody wants stay: ${errorMessage(error)}`),
      );
  }

  /** The reason outlives the agent: the next one finds a store that is whole, and knows no more. */
  private remember(): void {
    if (this.parts.store.complete) return;
    const stored = this.parts.store.notes().get(NOTE);
    this.mark = isMark(stored)
      ? stored
      : { reason: this.parts.store.incompleteness ?? "the store is not complete", since: new Date().toISOString() };
    this.parts.report.found = this.mark;
    this.parts.store.write({ notes: new Map([[NOTE, this.mark]]) }).catch((error: unknown) => {
      this.parts.log.warn({ err: error }, "why the store is not complete could not be stored");
    });
  }
}
