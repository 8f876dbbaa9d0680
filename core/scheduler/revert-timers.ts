import type { Clock } from "./api/clock.js";
import { deepEqual } from "./api/equality.js";
import type { Graph } from "./graph/graph.js";
import type { DesiredChange } from "./transaction.js";

interface Unconfirmed {
  readonly journal: readonly DesiredChange[];
  readonly timer: unknown;
}

/** Transactions that are undone unless somebody confirms them in time, by number. */
export class RevertTimers {
  private readonly unconfirmed = new Map<number, Unconfirmed>();

  constructor(
    private readonly clock: Clock,
    /** Undoes a transaction that was not confirmed in time. */
    private readonly expire: (seq: number, journal: readonly DesiredChange[]) => void,
  ) {}

  wait(seq: number, journal: readonly DesiredChange[], timeout: number): void {
    const timer = this.clock.setTimeout(() => {
      if (this.take(seq) !== undefined) this.expire(seq, journal);
    }, timeout);
    this.unconfirmed.set(seq, { journal, timer });
  }

  /** Ends the waiting. Returns what the transaction changed; `undefined` when it does not wait. */
  take(seq: number): readonly DesiredChange[] | undefined {
    const unconfirmed = this.unconfirmed.get(seq);
    if (unconfirmed === undefined) return undefined;
    this.clock.clearTimeout(unconfirmed.timer);
    this.unconfirmed.delete(seq);
    return unconfirmed.journal;
  }

  cancel(): void {
    for (const { timer } of this.unconfirmed.values()) this.clock.clearTimeout(timer);
    this.unconfirmed.clear();
  }
}

/** What brings back what a transaction replaced, except where a later one has changed it again. */
export function undoing(graph: Graph, journal: readonly DesiredChange[]): ReadonlyMap<string, object | undefined> {
  const changes = new Map<string, object | undefined>();
  for (const { node, before, after } of journal) {
    if (deepEqual(graph.get(node.key)?.desired, after)) changes.set(node.key, before);
  }
  return changes;
}
