import { InvalidInputError } from "../errors.js";
import { MAX_ID_LENGTH, type TransactionLimits } from "./incoming.js";
import type { Northbound } from "./northbound.js";
import type { Change, Transaction, TransactionResult } from "./transaction.js";

/** One message of a transaction that travels in parts (contract, "Transactions"). */
export interface TransactionPart {
  /** Value of the header `tenuto-part`: `<k>/<n>`, counted from 1. */
  readonly position: string;
  /** The transaction with the changes of this part. What else it says may stand in any of the parts, or in all of them. */
  readonly transaction: Transaction;
  /** Size of the message, for the bound on memory. */
  readonly bytes: number;
}

/** Of one transaction, and of all incomplete ones together. */
export interface PartsLimits extends TransactionLimits {
  /** How long the next part may take, ms. */
  readonly timeLimit: number;
}

/** A transaction whose parts did not all come in time. */
export interface DroppedTransaction {
  readonly id: string;
  readonly received: number;
  readonly expected: number;
  /** In a sentence. */
  readonly reason: string;
}

interface Incomplete {
  readonly id: string;
  readonly expected: number;
  /** What was said so far, without the changes. */
  head: Transaction;
  readonly parts: Map<number, { readonly changes: readonly Change[]; readonly bytes: number }>;
  bytes: number;
  changes: number;
  timer: NodeJS.Timeout;
}

/** More parts than any transaction within the bound on memory needs. */
const MAX_PARTS = 65_536;

/** Transactions that wait for the rest of their parts: each has a timer and a place in memory, however little came of it. */
const MAX_INCOMPLETE = 1_000;

function parsePosition(position: string): { readonly k: number; readonly n: number } {
  const [, k, n] = /^\s*(\d{1,9})\s*\/\s*(\d{1,9})\s*$/.exec(position) ?? [];
  const parsed = { k: Number(k), n: Number(n) };
  if (!(parsed.k >= 1 && parsed.k <= parsed.n && parsed.n <= MAX_PARTS)) {
    throw new InvalidInputError(
      "BAD_PART",
      `tenuto-part is "${position}"; expected <k>/<n> with 1 <= k <= n <= ${MAX_PARTS}`,
    );
  }
  return parsed;
}

/** Two parts that say two things, in a sentence. Protobuf does not tell a default from nothing. */
function contradictionIn(said: Transaction, part: Transaction): string | undefined {
  for (const field of ["atomic", "dry_run", "confirm_timeout", "mode"] as const) {
    if (said[field] === undefined || part[field] === undefined || said[field] === part[field]) continue;
    return `${field}: is ${part[field]}, and ${said[field]} in a part that came before`;
  }
  return undefined;
}

/**
 * Puts transactions together that were too large for one message of their bus. Parts may come in any order and more than
 * once (a sender that lost an answer starts again); the changes are put together in the order of the parts' numbers.
 * Memory is bounded, and what never completes is dropped after a time limit.
 */
export class TransactionParts {
  private readonly limits: PartsLimits;
  private readonly onDropped: (dropped: DroppedTransaction) => void;
  private readonly incomplete = new Map<string, Incomplete>();
  private bytes = 0;
  private changes = 0;

  constructor(limits: PartsLimits, onDropped: (dropped: DroppedTransaction) => void) {
    this.limits = limits;
    this.onDropped = onDropped;
  }

  /**
   * Takes a part. Returns the whole transaction with the last one, `undefined` before. Throws `InvalidInputError` when the
   * part makes no sense (`BAD_PART`) or does not fit in memory (`TOO_LARGE`); the transaction is dropped then.
   */
  add(part: TransactionPart): Transaction | undefined {
    const { id } = part.transaction;
    if (id === undefined || id === "") {
      throw new InvalidInputError("BAD_PART", "a transaction in parts needs an id, the same in every part");
    }
    if (id.length > MAX_ID_LENGTH) {
      throw new InvalidInputError("BAD_PART", `id: has ${id.length} characters, expected ${MAX_ID_LENGTH} at most`);
    }
    const { k, n } = parsePosition(part.position);
    const incomplete = this.incomplete.get(id) ?? this.begin(id, n, part.transaction);
    if (incomplete.expected !== n) {
      this.forget(incomplete);
      throw new InvalidInputError(
        "BAD_PART",
        `part ${k}/${n} of a transaction that began with ${incomplete.expected} parts`,
      );
    }
    const contradiction = contradictionIn(incomplete.head, part.transaction);
    if (contradiction !== undefined) {
      this.forget(incomplete);
      throw new InvalidInputError("BAD_PART", `part ${k}/${n}: ${contradiction}`);
    }
    this.put(incomplete, k, part);
    incomplete.head = { ...incomplete.head, ...part.transaction, changes: [] };
    if (incomplete.parts.size < n) {
      incomplete.timer.refresh();
      return undefined;
    }
    this.forget(incomplete);
    const inOrder = [...incomplete.parts.entries()].sort(([a], [b]) => a - b);
    return { ...incomplete.head, changes: inOrder.flatMap(([, { changes }]) => changes) };
  }

  /**
   * The answer that the transaction of a part got before, when the part is its last and nothing else came of it: its sender
   * lost the answer, and asks again with the one part that is answered. To be asked after {@link add} desired more.
   */
  async answeredBefore(
    { position, transaction: { id = "" } }: TransactionPart,
    northbound: Pick<Northbound, "answered">,
  ): Promise<TransactionResult | undefined> {
    const { k, n } = parsePosition(position);
    if (k !== n || this.incomplete.get(id)?.parts.size !== 1) return undefined;
    const answer = await northbound.answered(id);
    const incomplete = this.incomplete.get(id);
    if (answer !== undefined && incomplete !== undefined) this.forget(incomplete);
    return answer;
  }

  /** Forgets everything that is incomplete. */
  close(): void {
    for (const incomplete of [...this.incomplete.values()]) this.forget(incomplete);
  }

  private begin(id: string, expected: number, head: Transaction): Incomplete {
    if (this.incomplete.size >= MAX_INCOMPLETE) {
      throw new InvalidInputError(
        "TOO_MANY",
        `${MAX_INCOMPLETE} transactions wait for more of their parts already; send this one when some are complete`,
      );
    }
    const incomplete: Incomplete = {
      id,
      expected,
      // Its changes are in its part.
      head: { ...head, changes: [] },
      parts: new Map(),
      bytes: 0,
      changes: 0,
      timer: setTimeout(() => this.expire(incomplete), this.limits.timeLimit).unref(),
    };
    this.incomplete.set(id, incomplete);
    return incomplete;
  }

  private put(incomplete: Incomplete, k: number, part: TransactionPart): void {
    const growth = part.bytes - (incomplete.parts.get(k)?.bytes ?? 0);
    if (this.bytes + growth > this.limits.maxBytes) {
      const alone = incomplete.bytes + growth > this.limits.maxBytes;
      this.forget(incomplete);
      throw new InvalidInputError(
        "TOO_LARGE",
        alone
          ? `the transaction is larger than ${this.limits.maxBytes} bytes (orchestrator.max_transaction_bytes)`
          : `too many transactions in parts at once: together they are larger than ${this.limits.maxBytes} bytes`,
      );
    }
    this.countChanges(incomplete, k, part);
    incomplete.parts.set(k, { changes: part.transaction.changes, bytes: part.bytes });
    incomplete.bytes += growth;
    this.bytes += growth;
  }

  private countChanges(incomplete: Incomplete, k: number, { transaction }: TransactionPart): void {
    const { maxChanges } = this.limits;
    const growth = transaction.changes.length - (incomplete.parts.get(k)?.changes.length ?? 0);
    if (this.changes + growth > maxChanges) {
      const alone = incomplete.changes + growth > maxChanges;
      this.forget(incomplete);
      throw new InvalidInputError(
        "TOO_LARGE",
        alone
          ? `the transaction has more than ${maxChanges} changes (orchestrator.max_transaction_changes)`
          : `too many transactions in parts at once: together they have more than ${maxChanges} changes`,
      );
    }
    incomplete.changes += growth;
    this.changes += growth;
  }

  private forget(incomplete: Incomplete): void {
    clearTimeout(incomplete.timer);
    this.incomplete.delete(incomplete.id);
    this.bytes -= incomplete.bytes;
    this.changes -= incomplete.changes;
  }

  private expire(incomplete: Incomplete): void {
    this.forget(incomplete);
    const { id, expected, parts } = incomplete;
    const reason = `${parts.size} of ${expected} parts came, and no other within ${this.limits.timeLimit} ms`;
    this.onDropped({ id, received: parts.size, expected, reason });
  }
}
