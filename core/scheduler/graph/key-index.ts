import sorted from "sorted-btree";

type Tree = sorted.default<string, true>;

/**
 * Keys in order, for "all keys with this prefix" at a cost that follows the matches. There is a tree for all keys with the same
 * first segment, built when one of them is first asked for: kinds of values that nobody looks for by prefix never pay for it.
 */
export class KeyIndex {
  private readonly trees: { readonly head: string; readonly tree: Tree }[] = [];

  constructor(private readonly allKeys: () => Iterable<string>) {}

  add(key: string): void {
    for (const { head, tree } of this.trees) if (key.startsWith(head)) tree.set(key, true);
  }

  remove(key: string): void {
    for (const { head, tree } of this.trees) if (key.startsWith(head)) tree.delete(key);
  }

  *withPrefix(prefix: string): IterableIterator<string> {
    for (const key of this.treeFor(prefix).keys(prefix)) {
      if (!key.startsWith(prefix)) return;
      yield key;
    }
  }

  private treeFor(prefix: string): Tree {
    // Nothing when there is no slash: then all keys are in it.
    const head = prefix.slice(0, prefix.indexOf("/") + 1);
    const known = this.trees.find((each) => each.head === head);
    if (known !== undefined) return known.tree;
    const entries: [string, true][] = [];
    for (const key of this.allKeys()) if (key.startsWith(head)) entries.push([key, true]);
    const tree: Tree = new sorted.default<string, true>(entries, byCodeUnit);
    this.trees.push({ head, tree });
    return tree;
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
