import type { Scheduler } from "#core/scheduler/types.js";
import { parseRouteKey } from "#proto/index.js";

/** Keys of wanted routes by their destination, since a kernel event about a route does not say which of ours it replaces. */
export class WantedRoutes {
  /** One key, or several for routes by different interfaces. */
  readonly #keys = new Map<string, string | ReadonlySet<string>>();

  constructor(private readonly scheduler: Pick<Scheduler, "wanted">) {}

  get any(): boolean {
    return this.#keys.size > 0;
  }

  /** The value under that key is wanted now, or is not any more. */
  look(key: string): void {
    const network = parseRouteKey(key)?.network;
    if (network === undefined) return;
    const known = this.#keys.get(network);
    const keys = new Set(typeof known === "string" ? [known] : known);
    if (this.scheduler.wanted(key) === undefined) keys.delete(key);
    else keys.add(key);
    const [first] = keys;
    if (first === undefined) this.#keys.delete(network);
    else this.#keys.set(network, keys.size === 1 ? first : keys);
  }

  /** Keys of the routes that are wanted to a network, written canonically. */
  to(network: string): readonly string[] {
    const known = this.#keys.get(network);
    if (known === undefined) return [];
    return (typeof known === "string" ? [known] : [...known]).filter((key) => this.scheduler.wanted(key) !== undefined);
  }

  *all(): IterableIterator<string> {
    for (const keys of this.#keys.values()) {
      if (typeof keys === "string") yield keys;
      else yield* keys;
    }
  }
}
