import type {
  AgentEvent,
  DumpView,
  HistoryEntry,
  KeyValue,
  ResyncOptions,
  StatusFilter,
  Transaction,
  TransactionResult,
  ValueStatus,
  WatchTopic,
} from "./types.js";

/**
 * Everything one may ask of a running agent, however it is reached: over NATS (`connectNats`) or over the local socket.
 *
 * A transaction that the agent refuses is an answer (`REJECTED`, with the reason), not an exception. Every method rejects
 * with an {@link AgentClientError} when there is no answer, or when the agent says that the request itself makes no sense.
 */
export interface AgentClient {
  /**
   * Applies a transaction. Gives it an id when it has none, and asks again under the same id when the answer got lost, so
   * that it is applied once. A transaction larger than the transport's message limit travels in parts.
   */
  commit(transaction: Transaction): Promise<TransactionResult>;
  /** Keeps an `UNCONFIRMED` transaction. */
  confirm(id: string): Promise<TransactionResult>;
  /** Reverts an `UNCONFIRMED` transaction at once. */
  cancel(id: string): Promise<TransactionResult>;
  /** Desired values under a key or key prefix. */
  get(prefix?: string): Promise<readonly KeyValue[]>;
  /** `nb`: what is desired; `sb`: what is there, read anew; `cached`: what the agent believes is there. */
  dump(view: DumpView, prefix?: string): Promise<readonly KeyValue[]>;
  /**
   * Compares with what is desired and repairs. Values that nobody asks for any more, because a source or the store has lost them,
   * stay; `prune` removes them.
   */
  resync(options?: ResyncOptions): Promise<TransactionResult>;
  status(filter?: StatusFilter): Promise<readonly ValueStatus[]>;
  /** The transaction history, oldest first; with `seq` that entry alone. */
  history(seq?: number): Promise<readonly HistoryEntry[]>;
  /**
   * A request of a plugin's own, `ifmgr`, `plug`, with its argument: answered with the plugin's message. `NOT_FOUND` or
   * `NO_AGENT` when the agent's flavor has no such plugin.
   */
  request(group: string, name: string, argument?: object): Promise<object>;
  /**
   * Notifications as they come; `interfaces` begins with the last state of every interface where the transport keeps it.
   * Ends when `signal` aborts or the client is closed.
   */
  watch(topic: WatchTopic, options?: { readonly signal?: AbortSignal }): AsyncIterable<AgentEvent>;
  close(): Promise<void>;
}

/**
 * - `NO_AGENT`: nobody listens at the address. `TIMEOUT`: somebody does and did not answer in time.
 * - `UNREACHABLE`: the bus or socket cannot be reached. `DENIED`: it refuses us.
 * - `CLOSED`: the client was closed. `BAD_ANSWER`: the answer is not what the contract says.
 * - Anything else is the agent's own code for a request that makes no sense.
 */
export type AgentClientErrorCode =
  | "NO_AGENT"
  | "TIMEOUT"
  | "UNREACHABLE"
  | "DENIED"
  | "CLOSED"
  | "BAD_ANSWER"
  | (string & {});

export class AgentClientError extends Error {
  readonly code: AgentClientErrorCode;

  constructor(code: AgentClientErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "AgentClientError";
    this.code = code;
  }
}
