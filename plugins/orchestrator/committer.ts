import { errorMessage } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import type { TransactionResult } from "#core/northbound/index.js";
import { SerialQueue } from "#core/northbound/serial-queue.js";
import type { KeyedValue, TransactionRecord, TransactionSpec } from "#core/scheduler/api/scheduler.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import { turnBetween } from "#core/slices.js";
import type { Store, StoreUpdate } from "#plugins/store/index.js";
import type { DeferredEvents } from "./deferred-events.js";
import { type Changes, type DesiredState, type GivenUp, Yielded } from "./desired-state.js";
import type { Gates } from "./gates.js";
import type { Journal } from "./journal.js";
import type { Numbering } from "./numbering.js";
import { invalidIn } from "./results.js";

/** A change of what one source wants. */
export interface Commit {
  readonly id: string;
  /** Whose values change. */
  readonly source: string;
  /** Who brought it, for the history. */
  readonly from: string;
  readonly description: string;
  readonly changes: Changes;
  /** What somebody said of these keys, of all that changes: orphaned values of other sources give way to it. Default: all. */
  readonly said?: Changes;
  readonly options?: Pick<TransactionSpec, "atomic" | "rejectInvalid" | "simulate">;
  /** What is applied will not be written down at once. Default: it will. */
  readonly unconfirmed?: boolean;
}

export interface Committed {
  readonly record: TransactionRecord;
  /** What of the changes now counts as desired by the source. */
  readonly applied: Changes;
  /** The changes that undo that. */
  readonly undo: Changes;
  /** Orphaned values that gave way: given up when the commit is concluded, kept when it is undone. */
  readonly yielded: Yielded;
  /** Values that had been found in the southbound, that nobody desired, and that the commit changed or removed. */
  readonly displaced: ReadonlyMap<string, object>;
}

/** What to remove that nobody asks for any more. */
export interface Prune {
  readonly description: string;
  /** Also what sources have lost, not only what was found in the southbound. */
  readonly marked: boolean;
  readonly simulate?: boolean;
}

/** What came of it, and what to write down. */
export interface Pruned extends GivenUp {
  readonly record: TransactionRecord;
}

export interface CommitterParts {
  readonly desired: DesiredState;
  readonly gates: Gates;
  readonly scheduler: Scheduler;
  readonly store: Store;
  readonly journal: Journal;
  readonly numbering: Numbering;
  readonly deferredEvents: DeferredEvents;
  readonly log: Logger;
  /** Called when a commit has been concluded. */
  readonly concluded: () => void;
}

/**
 * The way from the desired state to the scheduler and the store, one change at a time: what a source wants is merged with
 * what the others want, handed to the scheduler, and written down.
 */
export class Committer {
  private readonly queue = new SerialQueue();

  constructor(private readonly parts: CommitterParts) {}

  /** Runs work during which nothing else is committed. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.queue.run(work);
  }

  idle(): Promise<void> {
    return this.queue.idle();
  }

  /**
   * Applies a change of one source, to be called {@link exclusively}. Nothing of it counts when the transaction was
   * reverted, refused (`rejectInvalid`) or simulated. An invalid value never does: what was desired before stays desired.
   */
  async commit(commit: Commit): Promise<Committed> {
    const { source, changes } = commit;
    const forget = isToBeStored(commit) ? this.parts.store.prepare({ source, changes }) : nothing;
    try {
      const committed = await this.apply(commit);
      if (committed.applied !== changes) forget();
      return committed;
    } catch (error) {
      forget();
      throw error;
    }
  }

  /**
   * Hands everything that is desired to the scheduler, to be compared with what is in the southbound. `orphans`: what becomes of values of
   * ours that nobody wants. Call it {@link exclusively}.
   */
  async resync(description: string, orphans: "keep" | "remove"): Promise<TransactionRecord> {
    const changes = this.parts.gates.effective();
    await turnBetween(changes.size);
    return await this.parts.scheduler.commit({ kind: "full-resync", description, changes, orphans });
  }

  /** Removes orphans. What another source still wants comes in their place. Call it {@link exclusively}. */
  async prune({ description, marked, simulate = false }: Prune): Promise<Pruned> {
    const yielded = marked ? this.parts.desired.yieldAllOrphans() : new Yielded("");
    const keys = new Set([...yielded.orphans.map(({ key }) => key), ...keysOf(this.parts.scheduler.orphans())]);
    const changes = new Map([...keys].sort().map((key) => [key, this.parts.desired.value(key)]));
    const divided = await this.parts.gates.divide("", changes);
    const applied = await this.parts.scheduler.commit({ description, changes: divided.now, simulate });
    const record = this.parts.gates.complete(applied, divided, changes.keys());
    if (simulate) {
      this.parts.desired.keep(yielded);
      return { record, others: [], notes: new Map() };
    }
    this.parts.gates.changed(changes.keys());
    return { record, ...this.parts.desired.giveUp(yielded) };
  }

  /** Resolves with the result once it is stored; one that cannot be stored says so. Announces it. */
  async conclude(result: TransactionResult, update: StoreUpdate): Promise<TransactionResult> {
    const concluded = await this.parts.store
      .write({ ...update, notes: new Map([...this.parts.numbering.notes(), ...(update.notes ?? [])]) })
      .then(
        () => result,
        (error: unknown) => {
          this.parts.log.error({ err: error, transaction: result.id }, "a transaction was applied and not stored");
          return notStored(result, errorMessage(error));
        },
      );
    this.parts.concluded();
    // The answer leaves first.
    this.parts.deferredEvents.publishSoon([{ kind: "transaction", id: concluded.id, data: concluded }]);
    return concluded;
  }

  private async apply(commit: Commit): Promise<Committed> {
    const { id, source, from, description, changes, said, options = {} } = commit;
    const yielded = this.parts.desired.yieldOrphans(source, changes, said);
    const found = commit.unconfirmed === true ? new Map(pairs(this.parts.scheduler.orphans())) : NOTHING_FOUND;
    const undo = this.parts.desired.apply(source, changes);
    await turnBetween(changes.size);
    const divided = await this.parts.gates.divide(source, changes);
    const applied = await this.parts.scheduler.commit({ description, changes: divided.now, ...options });
    const record = this.parts.gates.complete(applied, divided, changes.keys());
    await turnBetween(changes.size);
    const invalid = new Set(invalidIn(record).map(({ key }) => key));
    const refused = options.rejectInvalid === true && invalid.size > 0;
    this.parts.journal.remember(record.seq, { id, source: from, refused });
    if (refused || record.reverted || options.simulate === true) {
      this.parts.desired.apply(source, undo);
      this.parts.desired.keep(yielded);
      return { record, applied: new Map(), undo: new Map(), yielded, displaced: NOTHING_FOUND };
    }
    if (invalid.size > 0) {
      this.parts.desired.apply(
        source,
        without(undo, (key) => !invalid.has(key)),
      );
      this.parts.desired.keep(yielded, (key) => invalid.has(key));
    }
    this.parts.gates.changed(changes.keys());
    const displaced = this.withoutOrphans(found);
    if (invalid.size === 0) return { record, applied: changes, undo, yielded, displaced };
    const isInvalid = (key: string): boolean => invalid.has(key);
    return { record, applied: without(changes, isInvalid), undo: without(undo, isInvalid), yielded, displaced };
  }

  /** Those of the values that were orphans and are none any more. */
  private withoutOrphans(found: ReadonlyMap<string, object>): ReadonlyMap<string, object> {
    if (found.size === 0) return found;
    const left = new Set(keysOf(this.parts.scheduler.orphans()));
    return new Map([...found].filter(([key]) => !left.has(key)));
  }
}

const NOTHING_FOUND: ReadonlyMap<string, object> = new Map();

function* keysOf(values: Iterable<KeyedValue>): Generator<string> {
  for (const { key } of values) yield key;
}

function* pairs(values: Iterable<KeyedValue>): Generator<readonly [string, object]> {
  for (const { key, value } of values) yield [key, value];
}

/** Fewer changes than this are encoded in no time. */
const MANY = 1_000;

function isToBeStored({ changes, options, unconfirmed = false }: Commit): boolean {
  return changes.size >= MANY && options?.simulate !== true && !unconfirmed;
}

function nothing(): void {
  return;
}

/** Whoever sent it must not believe that it would survive a restart. */
function notStored(result: TransactionResult, reason: string): TransactionResult {
  const error = [result.error, `not stored, a restart of the agent would forget it: ${reason}`].filter(
    (text) => text !== "",
  );
  return { ...result, outcome: result.outcome === "APPLIED" ? "PARTIAL" : result.outcome, error: error.join("; ") };
}

function without(changes: Changes, isLeftOut: (key: string) => boolean): Changes {
  return new Map([...changes].filter(([key]) => !isLeftOut(key)));
}
