import type { TransactionResult } from "#core/northbound/index.js";
import { token } from "#core/plugin/index.js";

/** What changed in a source's values; `undefined` removes the value. */
export interface SourceChanges {
  readonly source: string;
  readonly changes: ReadonlyMap<string, object | undefined>;
}

/** One step of the store's life. All of it becomes durable, or none. */
export interface StoreUpdate {
  readonly values?: SourceChanges;
  /** Values of other sources that change with them. */
  readonly others?: readonly SourceChanges[];
  /** The answer to a transaction; replaces an earlier one with the same id. */
  readonly result?: TransactionResult;
  /** What a plugin remembers for itself, by `<plugin>/<name>`; `undefined` forgets it. JSON values. */
  readonly notes?: ReadonlyMap<string, unknown>;
  /** From now on everything of ours that is below is also in here, or no longer: see {@link Store.complete}. */
  readonly complete?: boolean;
}

/**
 * The agent's local memory: the values that every source wants, and the answers that were given. A restarted agent comes back
 * with it, bus or no bus.
 */
export interface Store {
  /** False when the store is switched off: it forgets everything at the end of the process. */
  readonly durable: boolean;
  /** Something was lost since the last run, and what was left of the damaged database has been set aside. */
  readonly damaged: boolean;
  /**
   * The store knows of everything the agent has made below. False for a new, switched off or damaged store: what is found
   * below and nobody wants may then be desired by somebody who has not spoken yet.
   */
  readonly complete: boolean;
  /** Why it is not, in a few words; `undefined` when it is. */
  readonly incompleteness: string | undefined;
  /** Values by source, as they were when the store was opened. */
  loaded(): ReadonlyMap<string, ReadonlyMap<string, object>>;
  /** The notes of plugins, as they were when the store was opened. */
  notes(): ReadonlyMap<string, unknown>;
  /** The stored answer to a transaction. Very long ones were shortened (`truncated`). */
  result(id: string): Promise<TransactionResult | undefined>;
  /** Ids of the answers with outcome `UNCONFIRMED`. */
  unconfirmed(): readonly string[];
  /**
   * Resolves when the update is on disk (fsync). Updates become durable in the order of the calls; those made while the
   * disk is busy share one write. Rejects with a `SouthboundError` when the disk refuses: the update is kept in memory
   * and written once the disk can be written again.
   */
  write(update: StoreUpdate): Promise<void>;
  /**
   * Says that these changes, the very map and as it is now, will probably be written soon. They are encoded while there is
   * nothing else to do, so that `write` is done sooner; nothing is written before. Returns the function that says that they will not.
   */
  prepare(values: SourceChanges): () => void;
  /** Resolves when what is on its way to the disk now has arrived there, or could not. */
  settled(): Promise<void>;
}

export const Store = token<Store>("Store");
