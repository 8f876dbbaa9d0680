import type { Dependency } from "../api/scheduler.js";
import { type AnyOf, anyOfName, type Existence, holds, isPartOf, support } from "../graph/dependencies.js";
import type { Graph } from "../graph/graph.js";
import type { Node } from "../graph/node.js";

/** A list of dependencies that hold, and what its `anyOf` ones rest on. */
interface SatisfiedDependencies {
  readonly supports: ReadonlyMap<string, string> | undefined;
  readonly nodes: readonly Node[];
}

/**
 * Which dependencies the values of one plan have been found to have. The result is kept for all values that share a list of dependencies: a hundred thousand routes depend on a handful of addresses.
 */
export class DependencyCache {
  /** Keys that may satisfy an `anyOf` once they exist, and those that were relied on. */
  private readonly hints = new Map<Dependency, string>();
  /** Lists that several values share, and that were found to hold: a value that is granted stays so until all are granted anew. */
  private readonly satisfied = new Map<readonly Dependency[], SatisfiedDependencies>();
  private readonly sharedSupports = new Map<AnyOf, ReadonlyMap<string, string>>();
  /** The values that have a support noted. */
  readonly supported: Node[] = [];

  constructor(
    private readonly graph: Graph,
    private readonly epoch: number,
    private readonly exists: Existence,
  ) {}

  /** Values are about to be granted anew. */
  clear(): void {
    this.hints.clear();
    this.satisfied.clear();
  }

  /** `key` satisfies the dependency once it exists. */
  hint(dependency: Dependency, key: string): void {
    this.hints.set(dependency, key);
  }

  /** What the `anyOf` dependencies of a value rest on, by name. */
  supportsOf(node: Node): ReadonlyMap<string, string> | undefined {
    return node.notedIn === this.epoch ? node.notedSupports : undefined;
  }

  /** Do the desired dependencies of a value hold? Notes what they rest on. */
  hold(node: Node): boolean {
    const { desiredDependencies: dependencies } = node;
    const satisfied = this.satisfied.get(dependencies);
    if (satisfied !== undefined && !satisfied.nodes.some((each) => isPartOf(each, node))) {
      if (satisfied.supports !== undefined) this.noteAll(node, satisfied.supports);
      return true;
    }
    if (!dependencies.every((each) => this.rests(node, each))) return false;
    if (this.graph.dependents.isShared(dependencies)) this.remember(dependencies, node);
    return true;
  }

  /** Do they hold without some nodes? */
  holdWithout(node: Node, others: ReadonlySet<Node>): boolean {
    if (others.size === 0) return true;
    const exists: Existence = (each) => this.exists(each) && !(each && others.has(each));
    return node.desiredDependencies.every((each) => {
      if (!("anyOf" in each)) return holds(this.graph, each, node, exists);
      const key = support(this.graph, each, node, exists, this.hints.get(each));
      if (key !== undefined) this.note(node, each, key);
      return key !== undefined;
    });
  }

  /** The `anyOf` dependency of a value rests on `key`. */
  note(node: Node, dependency: AnyOf, key: string): void {
    const known = this.supportsOf(node);
    const own = this.shared(dependency, key);
    this.noteAll(node, known === undefined ? own : new Map([...known, ...own]));
  }

  private rests(node: Node, dependency: Dependency): boolean {
    if (!("anyOf" in dependency)) return holds(this.graph, dependency, node, this.exists);
    const key = support(this.graph, dependency, node, this.exists, this.hints.get(dependency));
    if (key === undefined) return false;
    this.note(node, dependency, key);
    // Other values with the same dependency need not search again.
    this.hints.set(dependency, key);
    return true;
  }

  /** A peer's dependencies differ for each value that asks. */
  private remember(dependencies: readonly Dependency[], node: Node): void {
    if (dependencies.some((each) => "peer" in each)) return;
    const supports = this.supportsOf(node);
    const nodes = [...(supports?.values() ?? [])].flatMap((key) => this.graph.get(key) ?? []);
    this.satisfied.set(dependencies, { supports, nodes });
  }

  private noteAll(node: Node, supports: ReadonlyMap<string, string>): void {
    if (node.notedIn !== this.epoch) this.supported.push(node);
    node.notedIn = this.epoch;
    node.notedSupports = supports;
  }

  /** One map for all values that share the dependency. */
  private shared(dependency: AnyOf, key: string): ReadonlyMap<string, string> {
    const name = anyOfName(dependency);
    let support = this.sharedSupports.get(dependency);
    if (support?.get(name) !== key) {
      support = new Map([[name, key]]);
      this.sharedSupports.set(dependency, support);
    }
    return support;
  }
}
