import type { Descriptor, DriftPolicy, KeyedValue, MetadataMap, RetrievedValue } from "./descriptor.js";

export type * from "./descriptor.js";

/**
 * States of a value, as in vpp-agent's `ValueState`.
 *
 * - `NONEXISTENT`: unknown key. `MISSING`: desired, but a resync did not find it and it could not be re-created yet.
 * - `UNIMPLEMENTED`: desired, and no descriptor handles its key. `REMOVED`: was deleted; said once, by the
 *   transaction that did it.
 * - `CONFIGURED`: desired and there. `OBTAINED`: there, made by somebody else. `DISCOVERED`: ours, found in the southbound, and nobody said
 *   anything about it: an orphan, which stays until somebody does.
 * - `PENDING`: desired, waits for its dependencies. `INVALID`: its descriptor refused it.
 * - `FAILED`: the last operation failed and is not retried. `RETRYING`: it failed, and a retry is on its way.
 */
export type ValueState =
  | "NONEXISTENT"
  | "MISSING"
  | "UNIMPLEMENTED"
  | "REMOVED"
  | "CONFIGURED"
  | "OBTAINED"
  | "DISCOVERED"
  | "PENDING"
  | "INVALID"
  | "FAILED"
  | "RETRYING";

export interface RetryPolicy {
  /** First delay, ms. */
  readonly period: number;
  /** Retries before a value stays FAILED; `Infinity` never gives up. */
  readonly maxCount: number;
  /** Double the delay each time (up to 1 min). */
  readonly exponentialBackoff: boolean;
}

export type TransactionKind =
  | "update"
  | "full-resync"
  | "upstream-resync"
  | "downstream-resync"
  | "notification"
  | "retry"
  | "revert";

export interface TransactionSpec {
  readonly description?: string;
  /** Keys with their new desired value; `undefined` deletes. Values are canonical. A map must stay as it is until the answer. */
  readonly changes: Iterable<readonly [key: string, value: object | undefined]>;
  /** `update`: only these keys change. Resyncs: these are all the desired values there are. */
  readonly kind?: "update" | "full-resync" | "upstream-resync";
  /** Stop at the first failure and undo what was applied. Not for resyncs. */
  readonly atomic?: boolean;
  /** Refuse the whole transaction, before anything is touched, when one of its values is INVALID. */
  readonly rejectInvalid?: boolean;
  /**
   * Resyncs only: `remove` values of ours that are in the southbound and that nobody wants. Default `keep`: they stay DISCOVERED, and are held as
   * they were found, until a change names their key or wants what only one value can have.
   */
  readonly orphans?: "keep" | "remove";
  /** Plan only; nothing is executed and nothing remembered. */
  readonly simulate?: boolean;
  /** How failed operations are retried; `false`: not at all. Default: the scheduler's configuration. */
  readonly retry?: RetryPolicy | false;
  /** Revert by itself unless `confirm(seq)` comes within this time, ms. */
  readonly confirmTimeout?: number;
}

export interface RecordedOperation {
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "VALIDATE";
  readonly key: string;
  readonly derived: boolean;
  /** State of the value after the operation. */
  readonly state: ValueState;
  readonly error: string;
  /** Part of a delete + create pair. */
  readonly recreate: boolean;
}

/** A finished (or simulated) transaction. Times are ms since the epoch. */
export interface TransactionRecord {
  /** 0 for a simulation. */
  readonly seq: number;
  readonly kind: TransactionKind;
  readonly description: string;
  readonly start: number;
  readonly stop: number;
  readonly planned: readonly RecordedOperation[];
  readonly executed: readonly RecordedOperation[];
  /** Statuses of the values that the transaction named, in its order. */
  readonly values: readonly ValueStatusRecord[];
  readonly reverted: boolean;
  /** Summary of what went wrong, empty when nothing did. */
  readonly error: string;
}

export interface ValueStatusRecord {
  readonly key: string;
  readonly state: ValueState;
  readonly error: string;
  readonly lastOperation: "UNDEFINED" | "VALIDATE" | "CREATE" | "UPDATE" | "DELETE";
  readonly details: readonly string[];
  /** Statuses of derived values, for a base value. */
  readonly derived: readonly ValueStatusRecord[];
}

/** Something happened in the southbound: a value of somebody else's came, changed or (`undefined`) went. */
export interface SouthboundNotification {
  readonly key: string;
  readonly value: object | undefined;
  readonly metadata?: unknown;
}

/** What was known of one key from one change of its state or value to the next. Times are ms since the epoch. */
export interface ValueRecord {
  readonly key: string;
  readonly state: ValueState;
  /** What was in the southbound; what was desired when nothing was. */
  readonly value: object;
  readonly error: string;
  readonly details: readonly string[];
  /** Name of its descriptor; `undefined` for an unimplemented value. */
  readonly descriptor: string | undefined;
  /** Key of the value that it derived from. */
  readonly derivedFrom: string | undefined;
  readonly since: number;
  /** `undefined`: it is so now. */
  readonly until: number | undefined;
  /** Number of the transaction that brought it about; of the last one before, when a notification did that changed nothing else. */
  readonly transaction: number;
}

/** `derives` leads from a base to its part, `depends-on` from a value to what it needs. */
export interface GraphEdge {
  readonly relation: "derives" | "depends-on";
  readonly from: string;
  readonly to: string;
  /** Label of the dependency. */
  readonly label: string;
  /** `to` was there. */
  readonly satisfied: boolean;
}

/** The graph as it was at one time, in key order. */
export interface GraphSnapshot {
  /** ms since the epoch. */
  readonly time: number;
  /** False when some of what was known then has been forgotten since. */
  readonly complete: boolean;
  readonly values: readonly ValueRecord[];
  readonly edges: readonly GraphEdge[];
}

/** What flag statistics can be had of; names and meaning as in Ligato's KVScheduler. */
export type FlagName = "last-update" | "value-state" | "error" | "unavailable" | "descriptor" | "derived";

export interface FlagStatistics {
  /** Records (of the present and of the remembered past) that have the flag. */
  readonly total: number;
  readonly perValue: Readonly<Record<string, number>>;
}

/** A managed value was found changed or gone. Told once until it is as desired again. */
export interface Drift {
  readonly key: string;
  /** What northbound wants, and was there. */
  readonly before: object;
  /** What was found; `undefined`: nothing. */
  readonly after: object | undefined;
  /** The value and those of its derived values that differ. */
  readonly keys: readonly string[];
  readonly policy: DriftPolicy;
  /** When it will be repaired, ms from now; `undefined`: it will not. */
  readonly repairIn: number | undefined;
}

export type GraphView = "northbound" | "southbound" | "cached";

/** The KVScheduler. Transactions run one after the other, in the order they were handed in. */
export interface Scheduler {
  /** Before the first of its values comes. Throws `BugError` when two descriptors share a name. */
  registerDescriptor<V extends object, M>(descriptor: Descriptor<V, M>): void;
  /** The next transaction gets the number after this one. Before the first transaction, and never backwards. */
  continueAfter(seq: number): void;
  /** Resolves when the transaction (without its retries) is done. Rejects only when the scheduler is closed. */
  commit(transaction: TransactionSpec): Promise<TransactionRecord>;
  /** Keeps, or reverts at once, a transaction that waits for confirmation. Resolves `undefined` when none does. */
  confirm(seq: number): Promise<TransactionRecord | undefined>;
  cancel(seq: number): Promise<TransactionRecord | undefined>;
  /** Reads the whole southbound state anew and repairs what differs from what is desired. */
  resyncDownstream(description?: string): Promise<TransactionRecord>;
  /** Values of others (OBTAINED). Notifications about values that northbound manages are ignored. Applied in order, batched. */
  notify(notifications: readonly SouthboundNotification[]): void;
  /**
   * Drift: these managed values may have changed in the southbound. They are retrieved and compared, with what depends on those that have
   * vanished; what differs is told to the watchers and treated as `policy` says (default: the descriptor's, then the
   * scheduler's). `repair` is for changes that are our own doing: put right before anything else that waits, told to
   * nobody. Resolves with what was done, `undefined` when nothing was.
   */
  refresh(
    keys: Iterable<string>,
    reason?: string,
    policy?: DriftPolicy | "repair",
  ): Promise<TransactionRecord | undefined>;

  status(key: string): ValueStatusRecord;
  /** Statuses of all base values, in key order; `prefix` limits it. Derived ones are nested. */
  statuses(prefix?: string): readonly ValueStatusRecord[];
  /** Called with every base value (derived nested) whose status changed, once per transaction. Returns the unwatch function. */
  watchStatus(listener: (statuses: readonly ValueStatusRecord[]) => void): () => void;
  /** Called with each finished transaction that did something. */
  watchTransactions(listener: (record: TransactionRecord) => void): () => void;
  /** Called with what a refresh found changed by somebody else. */
  watchDrift(listener: (drifts: readonly Drift[]) => void): () => void;
  /** What is remembered of a key, oldest first; the last one is the present, if there is any. */
  timeline(key: string): readonly ValueRecord[];
  /** The graph at a time (ms since the epoch, default now). Looks at every value that is remembered: for people and tools. */
  snapshot(time?: number): Promise<GraphSnapshot>;
  /** How often a flag occurs, and with which values, in what is remembered of the keys with one of the prefixes (default all). */
  flagStatistics(flag: FlagName, prefixes?: readonly string[]): FlagStatistics;
  /** `southbound` reads anew; the others are from memory. Obtained values are in `southbound` and `cached`. */
  dump(view: GraphView, prefix?: string): Promise<readonly (RetrievedValue & { readonly state: ValueState })[]>;
  /** The desired value, or that of an orphan, or `undefined`. */
  desired(key: string): object | undefined;
  /** Values of ours that were found in the southbound and that nobody wants, base values alone. */
  orphans(): Iterable<KeyedValue>;
  readonly orphanCount: number;
  history(options?: {
    readonly seq?: number;
    readonly since?: number;
    readonly until?: number;
  }): readonly TransactionRecord[];
  /** Metadata map of a descriptor that has one. */
  metadata<M>(descriptorName: string): MetadataMap<M> | undefined;
  /** Names of the registered descriptors, with their prefixes. */
  descriptors(): readonly { readonly name: string; readonly prefix: string }[];
  /** Waits for what is running, drops what is queued, cancels retries. */
  close(): Promise<void>;
}
