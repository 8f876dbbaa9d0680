/**
 * The contract's JSON as an orchestrator sees it: `snake_case`, enums by name, fields with default values included.
 */
export type {
  HistoryEntry,
  Operation as OperationName,
  OperationResult,
  TransactionResult,
  TransactionResultOutcome as Outcome,
  ValueState,
  ValueStatus,
} from "#proto/index.js";

export type DumpView = "nb" | "sb" | "cached";

/** A value to set under a key, or a key to delete. */
export type Change =
  | { readonly key: string; readonly value: object; readonly delete?: false }
  | { readonly key: string; readonly delete: true };

export interface TransactionOptions {
  /** Idempotence key: the same id again gets the stored answer. Made up by the client when left out. */
  readonly id?: string;
  readonly description?: string;
  /** All or nothing: the first failure reverts what was applied. */
  readonly atomic?: boolean;
  /** Plan only. */
  readonly dry_run?: boolean;
  /** Revert unless confirmed within this time: `60s`, `500ms`, `5m`. */
  readonly confirm_timeout?: string;
  /** `REPLACE`: the changes are now all the values that were ever set by request. Default `UPDATE`. */
  readonly mode?: "UPDATE" | "REPLACE";
}

export interface Transaction extends TransactionOptions {
  readonly changes: readonly Change[];
}

export interface KeyValue {
  readonly key: string;
  readonly value: object;
}

export interface ResyncOptions {
  /** Only read what is there; otherwise the sources are read too. */
  readonly downstream?: boolean;
  /** Afterwards, remove what nobody asks for any more. */
  readonly prune?: boolean;
  /** Of a prune: say what would be removed, and do nothing. */
  readonly dry_run?: boolean;
}

export interface StatusFilter {
  /** A key or a key prefix; everything when left out. */
  readonly prefix?: string;
  readonly state?: "pending" | "failed";
}

export type WatchTopic = "interfaces" | "values" | "drift" | "transactions" | "ifmgr" | "health" | "deadletters";

/** A configured value was changed or removed by somebody else: an event of topic `drift`. */
export interface DriftReport {
  readonly key: string;
  /** What is desired, and was there. */
  readonly before: object;
  /** What was found; left out: nothing. */
  readonly after?: object;
  /** The value and those of its parts that differ. */
  readonly keys: readonly string[];
  readonly policy: "ENFORCE" | "REPORT";
  /** When it will be repaired, in milliseconds from now; left out: it will not. */
  readonly repair_in_ms?: number;
  /** How often it drifted within the last minute, this time included. */
  readonly times: number;
  /** Somebody else changes it again and again. */
  readonly fight: boolean;
}

/** A notification with its CloudEvents 1.0 attributes. */
export interface AgentEvent<T extends object = object> {
  readonly id: string;
  /** `/tenuto/<label>`. */
  readonly source: string;
  /** `io.tenuto.interface.state`, `io.tenuto.value.status`, `io.tenuto.transaction.finished`, … */
  readonly type: string;
  /** RFC 3339. */
  readonly time: string;
  /** Interface name, value key, transaction id or plugin name. */
  readonly subject: string;
  /** The contract's JSON of the notification. */
  readonly data: T;
}
