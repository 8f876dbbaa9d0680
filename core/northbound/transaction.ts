import type { ValueState } from "../scheduler/api/scheduler.js";

/** One change of a transaction: a value to set, or a key to delete. Field names are those of the contract's JSON. */
export interface Change {
  readonly key: string;
  /** The value as decoded from JSON (any accepted spelling), or as protobuf bytes of the key's message. */
  readonly value?: object | Uint8Array;
  readonly delete?: boolean;
}

export type TransactionMode = "UPDATE" | "REPLACE";

/** A transaction as it arrives at an endpoint. See "Transactions" in the contract. */
export interface Transaction {
  /** Idempotence key: the same id again gets the stored answer. Made up when left out. */
  readonly id?: string;
  readonly description?: string;
  /** All or nothing: the first failure reverts what was applied. */
  readonly atomic?: boolean;
  /** Plan only. */
  readonly dry_run?: boolean;
  /** Revert unless confirmed within this time, as `60s`, `500ms`, `5m` or a number of seconds. */
  readonly confirm_timeout?: string;
  readonly mode?: TransactionMode;
  readonly changes: readonly Change[];
}

export type Outcome = "APPLIED" | "PARTIAL" | "REVERTED" | "REJECTED" | "PLANNED" | "UNCONFIRMED" | "PART";

export interface ValueStatus {
  readonly key: string;
  readonly state: ValueState;
  readonly error: string;
  readonly last_operation: OperationName;
  /** What a pending value waits for, which fields of an invalid value are wrong. */
  readonly details: readonly string[];
}

export type OperationName = "UNDEFINED" | "VALIDATE" | "CREATE" | "UPDATE" | "DELETE";

export interface OperationResult {
  readonly operation: OperationName;
  readonly key: string;
  readonly derived: boolean;
  readonly state: ValueState;
  readonly error: string;
}

export interface TransactionResult {
  readonly id: string;
  /** Number of the transaction, which no other of the same agent has as long as it keeps its store; 0: nothing was committed. */
  readonly seq: number;
  readonly outcome: Outcome;
  readonly error: string;
  readonly values: readonly ValueStatus[];
  readonly operations: readonly OperationResult[];
  readonly truncated?: boolean;
}
