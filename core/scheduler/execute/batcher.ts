import type { AnyDescriptor } from "../graph/node.js";
import type { Operation } from "../plan/operations.js";

/** So many at a time: enough to be quick, and few enough that the southbound begins while others are still being handed out. */
const MANY = 512;

type Kind = "CREATE" | "DELETE";

/** Operations of one kind that go to one descriptor in one call. */
export interface Batch {
  readonly kind: Kind;
  readonly descriptor: AnyDescriptor;
  /** Of the operations in their plan. */
  readonly indexes: readonly number[];
}

interface Waiting extends Batch {
  indexes: number[];
}

/** Gathers operations that are ready at the same time, for descriptors that take many in one call. */
export class Batcher {
  private readonly waiting: Record<Kind, Map<string, Waiting>> = { CREATE: new Map(), DELETE: new Map() };

  constructor(private readonly handOut: (batch: Batch) => void) {}

  /** Takes an operation; false when it has to go alone. */
  take(index: number, { kind, node: { descriptor } }: Operation): boolean {
    if (kind === "UPDATE" || descriptor === undefined || descriptor.concurrency === "serial") return false;
    if (!(kind === "CREATE" ? "createMany" in descriptor : "deleteMany" in descriptor)) return false;
    let waiting = this.waiting[kind].get(descriptor.name);
    if (waiting === undefined) {
      waiting = { kind, descriptor, indexes: [] };
      this.waiting[kind].set(descriptor.name, waiting);
    }
    if (waiting.indexes.push(index) === MANY) this.hand(waiting);
    return true;
  }

  /** Hands out whatever waits. Was there anything? */
  flush(): boolean {
    let any = false;
    for (const kind of ["CREATE", "DELETE"] as const) {
      for (const waiting of this.waiting[kind].values()) {
        if (waiting.indexes.length === 0) continue;
        this.hand(waiting);
        any = true;
      }
    }
    return any;
  }

  private hand(waiting: Waiting): void {
    const { kind, descriptor, indexes } = waiting;
    waiting.indexes = [];
    this.handOut({ kind, descriptor, indexes });
  }
}
