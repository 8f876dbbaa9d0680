import sorted from "sorted-btree";

/**
 * Keys in order, for "all keys with this prefix" at a cost that follows the matches. Built when first asked for; a graph
 * without prefix dependencies never pays for it.
 */
export class KeyIndex {
  private tree: sorted.default<string, true> | undefined;

  constructor(private readonly allKeys: () => Iterable<string>) {}

  add(key: string): void {
    this.tree?.set(key, true);
  }

  remove(key: string): void {
    this.tree?.delete(key);
  }

  *withPrefix(prefix: string): IterableIterator<string> {
    this.tree ??= new sorted.default<string, true>(
      Array.from(this.allKeys(), (key): [string, true] => [key, true]),
      byCodeUnit,
    );
    for (const key of this.tree.keys(prefix)) {
      if (!key.startsWith(prefix)) return;
      yield key;
    }
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
