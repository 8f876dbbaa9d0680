import type { Clock } from "./api/clock.js";
import type { RetryPolicy } from "./api/scheduler.js";
import type { Graph } from "./graph/graph.js";
import { type Node, root } from "./graph/node.js";

export const DEFAULT_RETRY: RetryPolicy = {
  period: 1_000,
  maxCount: Number.POSITIVE_INFINITY,
  exponentialBackoff: true,
};
const LONGEST_DELAY = 60_000;

export function willRetry({ failure }: Node, policy: RetryPolicy | false): boolean {
  return policy !== false && failure !== undefined && failure.retriable && failure.attempts < policy.maxCount;
}

/** Has failed operations tried again when their time comes. Values that fail together are tried together. */
export class Retries {
  private readonly timers = new Set<unknown>();

  constructor(
    private readonly clock: Clock,
    private readonly graph: Graph,
    /** Looks at these keys again. */
    private readonly retry: (keys: readonly string[], policy: RetryPolicy) => void,
  ) {}

  schedule(failed: readonly Node[], policy: RetryPolicy): void {
    const byDelay = new Map<number, string[]>();
    for (const { key, failure } of failed) {
      if (failure?.retrying !== true) continue;
      const delay = delayOf(failure.attempts, policy);
      const keys = byDelay.get(delay);
      if (keys === undefined) byDelay.set(delay, [key]);
      else keys.push(key);
    }
    for (const [delay, keys] of byDelay) {
      const timer = this.clock.setTimeout(() => {
        this.timers.delete(timer);
        this.retry(keys, policy);
      }, delay);
      this.timers.add(timer);
    }
  }

  /** Keys to look at for another attempt: those that nothing else has settled in the meantime, each with its base. */
  begin(keys: readonly string[]): readonly string[] {
    return keys.flatMap((key) => {
      const node = this.graph.get(key);
      if (node?.failure?.retrying !== true) return [];
      node.failure = { ...node.failure, attempts: node.failure.attempts + 1, retrying: false };
      return [root(node).key, key];
    });
  }

  cancel(): void {
    for (const timer of this.timers) this.clock.clearTimeout(timer);
    this.timers.clear();
  }
}

function delayOf(attempts: number, { period, exponentialBackoff }: RetryPolicy): number {
  const factor = exponentialBackoff ? 2 ** Math.min(attempts, 30) : 1;
  return Math.min(period * factor, Math.max(LONGEST_DELAY, period));
}
