import type { Node } from "./node.js";
import type { Dependency } from "./types.js";

const NONE: ReadonlySet<Node> = new Set();

/** Who depends on what: finds the values to look at again when a key comes or goes. */
export class Watchers {
  private readonly byKey = new Map<string, Set<Node>>();
  private readonly byPeer = new Map<string, Set<Node>>();
  private readonly byPrefix = new Map<string, Set<Node>>();
  /** How many watched prefixes have each length, so that a key is looked up once per length only. */
  private readonly prefixLengths = new Map<number, number>();

  add(node: Node, dependencies: readonly Dependency[]): void {
    for (const dependency of dependencies) {
      if ("key" in dependency) insert(this.byKey, dependency.key, node);
      else if ("peer" in dependency) insert(this.byPeer, dependency.peer, node);
      else for (const prefix of dependency.anyOf.prefixes ?? [""]) this.addPrefix(prefix, node);
    }
  }

  remove(node: Node, dependencies: readonly Dependency[]): void {
    for (const dependency of dependencies) {
      if ("key" in dependency) erase(this.byKey, dependency.key, node);
      else if ("peer" in dependency) erase(this.byPeer, dependency.peer, node);
      else for (const prefix of dependency.anyOf.prefixes ?? [""]) this.removePrefix(prefix, node);
    }
  }

  /** Values with a `key` dependency on it. */
  ofKey(key: string): ReadonlySet<Node> {
    return this.byKey.get(key) ?? NONE;
  }

  /** Values with a dependency that the key may satisfy. */
  *of(key: string): IterableIterator<Node> {
    yield* this.ofKey(key);
    yield* this.ofPrefixes(key);
  }

  /** Values with a `peer` dependency on it. */
  ofPeer(key: string): ReadonlySet<Node> {
    return this.byPeer.get(key) ?? NONE;
  }

  /** Values with an `anyOf` dependency whose prefix the key has. */
  ofPrefixes(key: string): Iterable<Node> {
    let found: Iterable<Node> = NONE;
    for (const length of this.prefixLengths.keys()) {
      if (length > key.length) continue;
      const watching = this.byPrefix.get(key.slice(0, length));
      if (watching !== undefined) found = found === NONE ? watching : [...found, ...watching];
    }
    return found;
  }

  private addPrefix(prefix: string, node: Node): void {
    if (!this.byPrefix.has(prefix)) {
      this.prefixLengths.set(prefix.length, (this.prefixLengths.get(prefix.length) ?? 0) + 1);
    }
    insert(this.byPrefix, prefix, node);
  }

  private removePrefix(prefix: string, node: Node): void {
    if (!this.byPrefix.has(prefix)) return;
    erase(this.byPrefix, prefix, node);
    if (this.byPrefix.has(prefix)) return;
    const left = (this.prefixLengths.get(prefix.length) ?? 1) - 1;
    if (left === 0) this.prefixLengths.delete(prefix.length);
    else this.prefixLengths.set(prefix.length, left);
  }
}

function insert(index: Map<string, Set<Node>>, key: string, node: Node): void {
  const nodes = index.get(key);
  if (nodes === undefined) index.set(key, new Set([node]));
  else nodes.add(node);
}

function erase(index: Map<string, Set<Node>>, key: string, node: Node): void {
  const nodes = index.get(key);
  if (nodes === undefined) return;
  nodes.delete(node);
  if (nodes.size === 0) index.delete(key);
}
