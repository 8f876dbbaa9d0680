import type { Dependency } from "../api/scheduler.js";
import { each, type Few, withOne, withoutOne } from "./few.js";
import type { Node } from "./node.js";

/** All values that have one and the same list of dependencies: a hundred thousand routes by one next hop share theirs. */
interface Group {
  readonly dependencies: readonly Dependency[];
  nodes: Few<Node>;
}

/** The answer when there is nobody: always the same one. */
export const NOBODY: readonly Node[] = [];

/**
 * Index of dependents: finds the values to look at again when a key comes or goes. A value that was desired with other
 * dependencies than it has may be found twice.
 */
export class DependentsIndex {
  private readonly groups = new Map<readonly Dependency[], Group>();
  private readonly byKey = new Map<string, Few<Group>>();
  private readonly byPeer = new Map<string, Few<Group>>();
  private readonly byPrefix = new Map<string, Few<Group>>();
  /** How many watched prefixes have each length, so that a key is looked up once per length only. By first character. */
  private readonly prefixLengths = new Map<number, Map<number, number>>();

  add(node: Node, dependencies: readonly Dependency[]): void {
    if (dependencies.length === 0) return;
    const known = this.groups.get(dependencies);
    if (known !== undefined) {
      known.nodes = withOne(known.nodes, node);
      return;
    }
    const group: Group = { dependencies, nodes: node };
    this.groups.set(dependencies, group);
    for (const dependency of dependencies) {
      if ("key" in dependency) insert(this.byKey, dependency.key, group);
      else if ("peer" in dependency) insert(this.byPeer, dependency.peer, group);
      else for (const prefix of dependency.anyOf.prefixes ?? [""]) this.addPrefix(prefix, group);
    }
  }

  remove(node: Node, dependencies: readonly Dependency[]): void {
    const group = this.groups.get(dependencies);
    if (group === undefined) return;
    group.nodes = withoutOne(group.nodes, node);
    if (group.nodes !== undefined) return;
    this.groups.delete(dependencies);
    for (const dependency of dependencies) {
      if ("key" in dependency) erase(this.byKey, dependency.key, group);
      else if ("peer" in dependency) erase(this.byPeer, dependency.peer, group);
      else for (const prefix of dependency.anyOf.prefixes ?? [""]) this.removePrefix(prefix, group);
    }
  }

  /** Does more than one value have this very list? */
  isShared(dependencies: readonly Dependency[]): boolean {
    return this.groups.get(dependencies)?.nodes instanceof Set;
  }

  /** Values with a `key` dependency on it. */
  ofKey(key: string): Iterable<Node> {
    return nodesOf(this.byKey.get(key));
  }

  /** Values with a dependency that the key may satisfy. */
  *of(key: string): IterableIterator<Node> {
    yield* this.ofKey(key);
    yield* this.ofPrefixes(key);
  }

  /** Values with a `peer` dependency on it. */
  ofPeer(key: string): Iterable<Node> {
    return nodesOf(this.byPeer.get(key));
  }

  /** Values with an `anyOf` dependency whose prefix the key has. */
  ofPrefixes(key: string): Iterable<Node> {
    let found: Iterable<Node> = NOBODY;
    for (const lengths of [this.prefixLengths.get(firstOf(key)), this.prefixLengths.get(firstOf(""))]) {
      if (lengths === undefined) continue;
      for (const length of lengths.keys()) {
        const watching = length > key.length ? undefined : this.byPrefix.get(key.slice(0, length));
        if (watching !== undefined) found = joined(found, nodesOf(watching));
      }
    }
    return found;
  }

  private addPrefix(prefix: string, group: Group): void {
    if (!this.byPrefix.has(prefix)) {
      const lengths = this.prefixLengths.get(firstOf(prefix)) ?? new Map<number, number>();
      this.prefixLengths.set(firstOf(prefix), lengths);
      lengths.set(prefix.length, (lengths.get(prefix.length) ?? 0) + 1);
    }
    insert(this.byPrefix, prefix, group);
  }

  private removePrefix(prefix: string, group: Group): void {
    if (!this.byPrefix.has(prefix)) return;
    erase(this.byPrefix, prefix, group);
    if (this.byPrefix.has(prefix)) return;
    const lengths = this.prefixLengths.get(firstOf(prefix));
    const left = (lengths?.get(prefix.length) ?? 1) - 1;
    if (left > 0) lengths?.set(prefix.length, left);
    else lengths?.delete(prefix.length);
    if (lengths?.size === 0) this.prefixLengths.delete(firstOf(prefix));
  }
}

/** What most keys are told apart from watched prefixes by. NaN for no text. */
function firstOf(text: string): number {
  return text.charCodeAt(0);
}

function nodesOf(groups: Few<Group>): Iterable<Node> {
  if (groups === undefined) return NOBODY;
  if (!(groups instanceof Set)) return each(groups.nodes);
  const nodes: Node[] = [];
  for (const group of groups) for (const node of each(group.nodes)) nodes.push(node);
  return nodes;
}

function joined(a: Iterable<Node>, b: Iterable<Node>): Iterable<Node> {
  return a === NOBODY ? b : [...a, ...b];
}

function insert(index: Map<string, Few<Group>>, key: string, group: Group): void {
  index.set(key, withOne(index.get(key), group));
}

function erase(index: Map<string, Few<Group>>, key: string, group: Group): void {
  const left = withoutOne(index.get(key), group);
  if (left === undefined) index.delete(key);
  else index.set(key, left);
}
