import { token } from "../plugin/token.js";
import type { OperationResult, Outcome, Transaction, TransactionResult, ValueStatus } from "./transaction.js";

/** A key and its value in canonical form (the contract's JSON: `snake_case`, enums by name, defaults left out). */
export interface KeyValue {
  readonly key: string;
  readonly value: object;
}

export type DumpView = "nb" | "sb" | "cached";

export interface StatusFilter {
  /** A key or a key prefix; everything when left out. */
  readonly prefix?: string;
  readonly state?: "pending" | "failed";
}

/** One entry of the transaction history. Times are RFC 3339. */
export interface HistoryEntry {
  readonly seq: number;
  readonly id: string;
  readonly description: string;
  readonly kind: string;
  readonly source: string;
  readonly start: string;
  readonly stop: string;
  readonly outcome: Outcome;
  readonly error: string;
  readonly planned: readonly OperationResult[];
  readonly executed: readonly OperationResult[];
}

/** What a resync does. Field names are those of the contract's JSON. */
export interface ResyncOptions {
  /** Read what is there, and do not hand down anew what is desired. */
  readonly downstream?: boolean;
  /** Remove what nobody asks for any more, afterwards. */
  readonly prune?: boolean;
  /** Of a prune: say what would be removed, read nothing and do nothing. */
  readonly dry_run?: boolean;
}

/** How many values are orphaned: still there though nobody asks for them any more. */
export interface OrphanCount {
  /** Who has lost them; empty for those of an earlier run of the agent, whose source is not known. */
  readonly source: string;
  readonly count: number;
  /** Key of one of them. */
  readonly first: string;
  readonly reason: string;
}

/**
 * Everything an orchestrator or operator may ask of the agent. The orchestrator plugin provides it; every
 * {@link TransactionEndpoint} carries it to the outside in its own way.
 *
 * Errors are `InvalidInputError` for a request that makes no sense. `commit` never throws for the *contents* of a
 * transaction: a bad one is answered with outcome `REJECTED`.
 */
export interface Northbound {
  /**
   * Applies a transaction and answers once its result is known and stored. `endpoint` names who brought it.
   *
   * Transactions take effect in the order of the calls, however long each takes to be checked; an endpoint that is given an
   * order by its bus need not wait for one answer before it asks for the next. Answers may come in another order.
   */
  commit(transaction: Transaction, endpoint: string): Promise<TransactionResult>;
  /** The answer that a transaction got, or is about to get; `undefined` when there was none of that id. */
  answered(id: string): Promise<TransactionResult | undefined>;
  /** Keeps an `UNCONFIRMED` transaction. */
  confirm(id: string): Promise<TransactionResult>;
  /** Reverts an `UNCONFIRMED` transaction at once. */
  cancel(id: string): Promise<TransactionResult>;
  /** Desired values under a key or key prefix, after merging every source. */
  get(prefix?: string): readonly KeyValue[];
  /** `nb`: what is desired; `sb`: what is there, read anew; `cached`: what the scheduler believes is there. */
  dump(view: DumpView, prefix?: string): Promise<readonly KeyValue[]>;
  /** Compares with what is desired and repairs. Removes orphaned values only with `prune`. */
  resync(options: ResyncOptions): Promise<TransactionResult>;
  orphans(): readonly OrphanCount[];
  status(filter?: StatusFilter): readonly ValueStatus[];
  history(seq?: number): readonly HistoryEntry[];
}

export const Northbound = token<Northbound>("Northbound");

/** Port: one transaction in, one result out. The orchestrator calls `serve` on every endpoint in its `afterInit`. */
export interface TransactionEndpoint {
  readonly name: string;
  serve(northbound: Northbound): void | Promise<void>;
}

export const TransactionEndpoint = token<TransactionEndpoint>("TransactionEndpoint");
