import type { Dependency } from "#core/scheduler/api/scheduler.js";

/** More than any host has next hops; a bound, so that what is no longer used does not stay for ever. */
const MAX_LISTS = 10_000;

/**
 * Lists of dependencies that many values have in common. A hundred thousand routes leave by a handful of next hops: one list for
 * each next hop instead of one for each route saves 700 bytes a route.
 */
export class SharedDependencies {
  private readonly lists = new Map<string, readonly Dependency[]>();

  /** The list of this name, made when it is new. Equal names must mean equal lists. */
  dependencies(name: string, make: () => readonly Dependency[]): readonly Dependency[] {
    let list = this.lists.get(name);
    if (list === undefined) {
      list = make();
      if (this.lists.size >= MAX_LISTS) this.lists.clear();
      this.lists.set(name, list);
    }
    return list;
  }
}
