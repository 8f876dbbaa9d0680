import type { TransactionResult } from "#core/northbound/index.js";
import type { Changes, Yielded } from "./desired-state.js";

/** A transaction that reverts unless it is confirmed in time. */
export interface Unconfirmed {
  readonly id: string;
  /** What it changed among the values set by request, and what undoes that. */
  readonly changes: Changes;
  readonly undo: Changes;
  /** Orphaned values that gave way to it until it is decided; and such as had been found in the southbound and belong to nobody. */
  readonly yielded: Yielded;
  readonly displaced: ReadonlyMap<string, object>;
  /** It said that these are all the values there are. */
  readonly replaces: boolean;
  /** The answer it will have once it is confirmed. */
  readonly result: TransactionResult;
  /** What else is stored once it is confirmed. */
  readonly notes: ReadonlyMap<string, unknown>;
  /** Undoes what is remembered of the keys that its values came under. */
  forgetKeys(): void;
}

/** The transactions that wait for confirmation. */
export class PendingConfirmations {
  private readonly waiting = new Map<string, { readonly transaction: Unconfirmed; readonly timer: NodeJS.Timeout }>();

  /** `expire` is called after `timeout` ms unless the transaction was taken before. */
  add(transaction: Unconfirmed, timeout: number, expire: () => void): void {
    this.waiting.set(transaction.id, { transaction, timer: setTimeout(expire, timeout) });
  }

  /** Ends the waiting of a transaction; `undefined` when it does not wait. */
  take(id: string): Unconfirmed | undefined {
    const entry = this.waiting.get(id);
    if (entry === undefined) return undefined;
    clearTimeout(entry.timer);
    this.waiting.delete(id);
    return entry.transaction;
  }

  /** The waiting transaction that changed the key. Until it is decided nobody else may: it could not be undone otherwise. */
  holderOf(key: string): string | undefined {
    for (const [id, { transaction }] of this.waiting) {
      if (transaction.changes.has(key)) return id;
    }
    return undefined;
  }

  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }

  /** The keys that waiting transactions changed: what is there now is not decided yet. */
  *keys(): Generator<string> {
    for (const { transaction } of this.waiting.values()) yield* transaction.changes.keys();
  }

  /** Forgets all without expiring them: a restarted agent reverts them, since they were never stored. */
  close(): void {
    for (const id of [...this.waiting.keys()]) this.take(id);
  }
}
