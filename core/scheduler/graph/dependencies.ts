import type { Dependency } from "../api/scheduler.js";
import type { Graph } from "./graph.js";
import type { Node } from "./node.js";

/** Does this node count as there? Asked of the present state, of the state a plan leads to, or of what a plan leaves alone. */
export type Existence = (node: Node | undefined) => boolean;

export const isPresent: Existence = (node) => node?.value !== undefined;

/** Does a dependency of `self` hold? `hint` is a key that may satisfy an `anyOf` and is not present yet. */
export function holds(graph: Graph, dependency: Dependency, self: Node, exists: Existence, hint?: string): boolean {
  if ("key" in dependency) return exists(graph.get(dependency.key));
  if ("peer" in dependency) return peerIsReady(graph, dependency.peer, self, exists);
  return support(graph, dependency, self, exists, hint) !== undefined;
}

/** A key that satisfies an `anyOf`, if there is one. */
export function support(
  graph: Graph,
  { anyOf: { prefixes, matches } }: AnyOf,
  self: Node,
  exists: Existence,
  hint?: string,
): string | undefined {
  const hinted = hint === undefined ? undefined : graph.get(hint);
  if (hinted !== undefined && exists(hinted) && !isPartOf(hinted, self)) return hinted.key;
  for (const key of graph.present(prefixes)) {
    if (!(matches?.(key) ?? true)) continue;
    const other = graph.get(key);
    if (exists(other) && !isPartOf(other, self)) return key;
  }
  return undefined;
}

/** What an `anyOf` dependency of a value could rest on now. What depends on the value is nothing of that. */
export function supportsNow(graph: Graph, dependency: AnyOf, self: Node): readonly Node[] {
  const own = dependingOn(graph, self);
  const { prefixes, matches } = dependency.anyOf;
  return [...graph.present(prefixes)].flatMap((key) => {
    const node = (matches?.(key) ?? true) ? graph.get(key) : undefined;
    return node === undefined || own.has(node) || isPartOf(node, self) ? [] : [node];
  });
}

/** Tells the `anyOf` dependencies of a value apart. Predicates cannot be compared: the label has to differ where they do. */
export function anyOfName(dependency: AnyOf): string {
  let name = names.get(dependency);
  if (name === undefined) {
    name = [dependency.label, ...(dependency.anyOf.prefixes ?? [])].join("\n");
    names.set(dependency, name);
  }
  return name;
}

/** Many values may share a dependency, and each asks for its name. */
const names = new WeakMap<AnyOf, string>();

export type AnyOf = Extract<Dependency, { anyOf: unknown }>;

/** Does `key` satisfy the `anyOf` dependency? */
export function matchesAnyOf(dependency: Dependency, key: string): boolean {
  if (!("anyOf" in dependency)) return false;
  const { prefixes, matches } = dependency.anyOf;
  return (prefixes?.some((prefix) => key.startsWith(prefix)) ?? true) && (matches?.(key) ?? true);
}

/** Do both lists name the same things? */
export function sameDependencies(a: readonly Dependency[], b: readonly Dependency[]): boolean {
  return a === b || (a.length === b.length && a.every((each, i) => sameDependency(each, b[i] ?? each)));
}

export function sameDependency(a: Dependency, b: Dependency): boolean {
  if ("key" in a) return "key" in b && a.key === b.key;
  if ("peer" in a) return "peer" in b && a.peer === b.peer;
  return "anyOf" in b && anyOfName(a) === anyOfName(b);
}

/**
 * A dependency with its peers' own dependencies in place of each `peer`: what must be there before the value can be made,
 * and must stay until it is gone.
 */
export function expanded(graph: Graph, dependencies: readonly Dependency[], self: Node): readonly Dependency[] {
  if (!dependencies.some((each) => "peer" in each)) return dependencies;
  return dependencies.flatMap((dependency) => {
    if (!("peer" in dependency)) return [dependency];
    return (graph.get(dependency.peer)?.desiredDependencies ?? []).filter((own) => !isOn(graph, own, self));
  });
}

/** Labels of the dependencies that do not hold. */
export function missing(graph: Graph, node: Node, exists: Existence): string[] {
  return node.desiredDependencies.filter((each) => !holds(graph, each, node, exists)).map((each) => each.label);
}

function peerIsReady(graph: Graph, key: string, self: Node, exists: Existence): boolean {
  const peer = graph.get(key);
  if (peer === undefined || !peer.eligible) return false;
  if (peer.base !== undefined && peer.base !== self && !exists(peer.base)) return false;
  const others = peer.desiredDependencies.filter((own) => !isOn(graph, own, self));
  if (others.length === peer.desiredDependencies.length) return false;
  return others.every((own) => "peer" in own || holds(graph, own, peer, exists));
}

const NONE: ReadonlySet<Node> = new Set();

/**
 * {@link dependingOn}, which is nothing that the value's own `anyOf` dependencies could rest on. Empty for a value without any.
 */
export function restingOn(graph: Graph, node: Node): ReadonlySet<Node> {
  return node.appliedDependencies.some((each) => "anyOf" in each) ? dependingOn(graph, node) : NONE;
}

/** Everything present that depends on a value, through any number of steps. */
export function dependingOn(graph: Graph, node: Node): ReadonlySet<Node> {
  const found = new Set<Node>();
  const work = [node];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    const { key } = next;
    const users = [...graph.dependents.ofKey(key), ...graph.dependents.ofPrefixes(key)].filter((other) =>
      restsOn(graph, other, key),
    );
    for (const other of [...(next.derived ?? []), ...users]) {
      if (other === node || !other.present || !other.managed || found.has(other)) continue;
      found.add(other);
      work.push(other);
    }
  }
  return found;
}

/**
 * Everything that a plan so far has depend on a value, through any number of steps: the value itself, too, if it is in a circle.
 *
 * @param isOurs is it a value of ours when the plan is done? What is somebody else's depends on nothing.
 * @param supportsOf what the `anyOf` dependencies of a value that the plan grants rest on.
 */
export function restingOnAfter(
  graph: Graph,
  node: Node,
  isOurs: (node: Node) => boolean,
  supportsOf: (node: Node) => ReadonlyMap<string, string> | undefined,
): ReadonlySet<Node> {
  const found = new Set<Node>();
  const work = [node];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    const { key } = next;
    // What is derived from it goes with it, whoever derived it.
    const parts = [...(next.derived ?? [])].filter((part) => part.present || isOurs(part));
    const users = [...graph.dependents.of(key)].filter(
      (other) => (other === node || isOurs(other)) && isOnKey(other, key, supportsOf(other) ?? other.supports),
    );
    for (const other of [...parts, ...users]) {
      if (found.has(other)) continue;
      found.add(other);
      work.push(other);
    }
  }
  return found;
}

/** Does what is desired of a value depend on a key, as far as known? */
function isOnKey(
  { desiredDependencies }: Node,
  key: string,
  supports: ReadonlyMap<string, string> | undefined,
): boolean {
  return desiredDependencies.some((each) => {
    if ("anyOf" in each) return supports?.get(anyOfName(each)) === key;
    return "key" in each && each.key === key;
  });
}

function restsOn(graph: Graph, node: Node, key: string): boolean {
  return node.appliedDependencies.some((each) => {
    if ("key" in each) return each.key === key;
    if ("peer" in each) return false;
    const known = node.supports?.get(anyOfName(each));
    return known !== undefined && isPresent(graph.get(known)) ? known === key : matchesAnyOf(each, key);
  });
}

/** A value and what derives from it are nothing that the value could rest on. */
export function isPartOf(node: Node | undefined, whole: Node): boolean {
  for (let current = node; current !== undefined; current = current.base) if (current === whole) return true;
  return false;
}

/** Is it one on the value itself, or on a part of it? */
function isOn(graph: Graph, dependency: Dependency, node: Node): boolean {
  if ("peer" in dependency) return dependency.peer === node.key;
  return "key" in dependency && isPartOf(graph.get(dependency.key), node);
}
