import type { Clock } from "../api/clock.js";
import type { Drift, DriftPolicy } from "../api/scheduler.js";
import { equivalent } from "../graph/graph.js";
import { type Node, root, withParts } from "../graph/node.js";

/** A desired base value that a refresh did not find as it should be. */
export interface Difference {
  readonly node: Node;
  readonly found: object | undefined;
  /** The value and those of its parts that differ. */
  readonly parts: readonly Node[];
  /** It was not so before the refresh. */
  readonly fresh: boolean;
}

/** Compares desired base values that were read with what was known of them and their parts before. */
export function differences(
  bases: Iterable<Node>,
  before: ReadonlyMap<Node, object | undefined>,
  found: ReadonlyMap<string, object>,
): readonly Difference[] {
  const result: Difference[] = [];
  for (const node of bases) {
    if (node.desired === undefined || node.orphaned) continue;
    const parts = withParts(node).filter(differs);
    if (parts.length === 0) continue;
    const fresh = parts.some((part) => !same(part, before.get(part), part.value));
    result.push({ node, found: found.get(node.key), parts, fresh });
  }
  return result;
}

function same(node: Node, a: object | undefined, b: object | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && equivalent(node, a, b));
}

/** What failed is the business of retries. */
function differs(node: Node): boolean {
  return node.failure === undefined && (node.missing || (node.managed && node.value !== node.desired));
}

interface DriftBackoff {
  readonly repairs: number;
  /** When the last repair was. */
  readonly last: number;
  /** When the next one is, and the timer for it. */
  readonly due?: number;
  readonly timer?: unknown;
}

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 60_000;
/** A value that has been left in peace for so long starts anew. */
const FORGET_AFTER = 5 * 60_000;

/**
 * Decides what to do about drift: repairs at once the first time, and later and later when the same value drifts again and again,
 * so that two managers who do not know of each other do not backoff.
 */
export class DriftGuard {
  /** In the order of their last repair. */
  private readonly backoffs = new Map<string, DriftBackoff>();

  constructor(
    private readonly clock: Clock,
    private readonly defaultPolicy: DriftPolicy,
    private readonly tell: (drifts: readonly Drift[]) => void,
    /** Repairs a base value that had to wait. */
    private readonly repair: (key: string) => void,
  ) {}

  policyFor({ descriptor }: Node): DriftPolicy {
    return descriptor?.drift ?? this.defaultPolicy;
  }

  /** Tells of what is new, and returns the values that must not be repaired now. */
  judge(found: readonly Difference[], override: DriftPolicy | undefined): ReadonlySet<Node> {
    this.forgetOld();
    const held = new Set<Node>();
    const drifts: Drift[] = [];
    for (const { node, found: after, parts, fresh } of found) {
      const policy = override ?? this.policyFor(node);
      const repairIn = policy === "enforce" ? this.delay(node.key) : undefined;
      if (repairIn !== 0) held.add(node);
      if (!fresh || node.desired === undefined || policy === "ignore") continue;
      const keys = parts.map(({ key }) => key);
      drifts.push({ key: node.key, before: node.desired, after, keys, policy, repairIn });
    }
    if (drifts.length > 0) this.tell(drifts);
    return held;
  }

  cancel(): void {
    for (const { timer } of this.backoffs.values()) this.clock.clearTimeout(timer);
    this.backoffs.clear();
  }

  /** How long the repair of a value has to wait, ms. */
  private delay(key: string): number {
    const now = this.clock.monotonic();
    const backoff = this.backoffs.get(key);
    if (backoff === undefined) {
      this.backoffs.set(key, { repairs: 1, last: now });
      return 0;
    }
    if (backoff.due !== undefined) return Math.max(1, backoff.due - now);
    const delay = Math.min(FIRST_DELAY * 2 ** Math.min(backoff.repairs - 1, 30), LONGEST_DELAY);
    const timer = this.clock.setTimeout(() => {
      this.backoffs.delete(key);
      this.backoffs.set(key, { repairs: backoff.repairs + 1, last: this.clock.monotonic() });
      this.repair(key);
    }, delay);
    this.backoffs.set(key, { ...backoff, due: now + delay, timer });
    return delay;
  }

  private forgetOld(): void {
    for (const [key, { last, due }] of this.backoffs) {
      if (this.clock.monotonic() - last <= FORGET_AFTER) return;
      if (due === undefined) this.backoffs.delete(key);
    }
  }
}

/** Values whose parts are left missing take along what rests on them: that is left as it is too. */
export function withDependents(
  held: ReadonlySet<Node>,
  dependentsOf: (node: Node) => Iterable<Node>,
): ReadonlySet<Node> {
  const all = new Set(held);
  // Grows while it is walked.
  for (const base of all) {
    for (const part of withParts(base)) {
      if (part.present) continue;
      for (const dependent of dependentsOf(part)) if (dependent.managed) all.add(root(dependent));
    }
  }
  return all;
}
