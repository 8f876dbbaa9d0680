import type { Slices } from "../../slices.js";
import type { Dependency } from "../api/scheduler.js";
import {
  type AnyOf,
  anyOfName,
  type Existence,
  expanded,
  isPresent,
  restingOn,
  support,
  supportsNow,
} from "../graph/dependencies.js";
import { equivalent, type Graph } from "../graph/graph.js";
import type { Node } from "../graph/node.js";
import { type Cycle, sort } from "./operation-order.js";

/** One call of a descriptor, and what has to be done before it. */
export interface Operation {
  readonly kind: "CREATE" | "UPDATE" | "DELETE";
  readonly node: Node;
  /** The value to put in the southbound; for DELETE the one to remove. */
  readonly value: object;
  /** The value put in the southbound is ours; false when an obtained value is given way to. */
  readonly managed: boolean;
  /** Half of a delete + create pair. */
  readonly recreate: boolean;
  /** What the `anyOf` dependencies of the value to put rest on, by name. */
  supports: ReadonlyMap<string, string> | undefined;
  /** How many operations have to be finished first. */
  blockers: number;
  /** Indexes of the operations that wait for this one. */
  followers: number[] | undefined;
}

export interface OperationGraph {
  readonly operations: Operation[];
  readonly adopted: Node[];
  /**
   * Updates that keep operations waiting for each other in circles, if there are circles; the operations cannot be run then.
   */
  readonly cycle: Cycle;
}

/** What a plan says of the values to come. */
export interface Outlook {
  /** The key that each of the value's `anyOf` dependencies (by name) rests on. */
  readonly supportsOf: (node: Node) => ReadonlyMap<string, string> | undefined;
  readonly existsAfter: Existence;
  /** Values that stay while what they rest on is replaced. */
  readonly moving: ReadonlySet<Node>;
}

/** Turns what the planner decided into operations with their must-follow relations, in a runnable order. */
export async function buildOperations(
  graph: Graph,
  nodes: readonly Node[],
  outlook: Outlook,
  { transaction, slices }: { readonly transaction: number; readonly slices: Slices },
): Promise<OperationGraph> {
  const operations: Operation[] = [];
  const adopted: Node[] = [];
  for (const node of nodes) {
    if (slices.isDue) await slices.next();
    node.deleteOperation = -1;
    node.putOperation = -1;
    if (node.failedIn !== transaction) emit(node, outlook, operations, adopted);
  }
  const edges = new Edges(graph, operations, outlook);
  await edges.connectAll(slices);
  if (!edges.connectMoving()) return { operations: [], adopted, cycle: [] };
  const { ordered, cycle } = edges.isEmpty
    ? { ordered: operations, cycle: "none" as const }
    : sort(operations, outlook.moving.size > 0);
  return { operations: ordered, adopted, cycle };
}

function emit(node: Node, outlook: Outlook, operations: Operation[], adopted: Node[]): void {
  const { value } = node;
  const target = node.granted ? node.desired : undefined;
  const add = (kind: Operation["kind"], put: object, recreate: boolean, ours = true): number =>
    operations.push({
      kind,
      node,
      value: put,
      managed: ours,
      recreate,
      supports: outlook.supportsOf(node),
      blockers: 0,
      followers: undefined,
    }) - 1;

  if (node.broken) {
    const removed = ownValue(node);
    if (removed !== undefined) node.deleteOperation = add("DELETE", removed, node.granted);
    if (target !== undefined) node.putOperation = add("CREATE", target, true);
  } else if (target !== undefined) {
    if (value === undefined || isTakenOverAnew(node, value, target)) node.putOperation = add("CREATE", target, false);
    else if (!equivalent(node, value, target)) node.putOperation = add("UPDATE", target, false);
    else if (value !== target || !node.managed) adopted.push(node);
  } else if (value !== undefined && node.obtained !== undefined && givesWay(node)) {
    if (equivalent(node, value, node.obtained)) adopted.push(node);
    else node.putOperation = add("UPDATE", node.obtained, false, false);
  }
}

/** What is there of ours. What is somebody else's goes with its base, by itself. */
function ownValue({ managed, value }: Node): object | undefined {
  return managed ? value : undefined;
}

/** An obtained value that is to become ours, and cannot be changed in place. */
function isTakenOverAnew(node: Node, value: object, target: object): boolean {
  return !node.managed && node.descriptor?.update === undefined && !equivalent(node, value, target);
}

/** What northbound withdrew gives way to what somebody else had put there. */
function givesWay(node: Node): boolean {
  return node.managed && node.desired === undefined;
}

/** What a list of dependencies rests on, found for one value and good for the next with the same list. */
interface Rest {
  readonly dependencies: readonly Dependency[];
  readonly supports: ReadonlyMap<string, string> | undefined;
  /** `supports` are those of the southbound value, not of the one to come. */
  readonly own: boolean;
  readonly nodes: readonly Node[];
}

/** The must-follow relations between the operations of a plan. */
class Edges {
  private count = 0;
  /** What the last list of dependencies rests on: values that share it follow each other. */
  private shared: Rest | undefined;

  constructor(
    private readonly graph: Graph,
    private readonly operations: readonly Operation[],
    private readonly outlook: Outlook,
  ) {}

  get isEmpty(): boolean {
    return this.count === 0;
  }

  async connectAll(slices: Slices): Promise<void> {
    const releases = this.releasedClaims();
    for (const [index, { kind, node }] of this.operations.entries()) {
      if (slices.isDue) await slices.next();
      if (kind === "DELETE") this.connectDelete(index, node);
      else this.connectPut(index, node);
      if (kind !== "DELETE" && releases.size > 0) this.connectClaims(index, node, releases);
    }
  }

  /**
   * Values that stay while everything that they could rest on goes: something else is made before the last of that goes. False when
   * that cannot be.
   */
  connectMoving(): boolean {
    for (const node of this.outlook.moving) {
      if (node.broken || !node.granted || !node.present) continue;
      for (const dependency of node.desiredDependencies)
        if ("anyOf" in dependency && !this.connectReplaced(dependency, node)) return false;
    }
    return true;
  }

  private connectReplaced(dependency: AnyOf, node: Node): boolean {
    const leaving = supportsNow(this.graph, dependency, node);
    if (leaving.some((each) => this.departureOf(each) === -1)) return true;
    const next = this.known(dependency, this.outlook.supportsOf(node), false);
    const old = leaving.find((each) => each !== next);
    if (next === undefined || old === undefined) return false;
    this.connect(this.putOf(next), this.departureOf(old));
    return true;
  }

  /** `after` must not start before `before` is finished. Either may be -1: there is no such operation. */
  private connect(before: number, after: number): void {
    const first = this.operations[before];
    const second = this.operations[after];
    if (first === undefined || second === undefined || before === after) return;
    first.followers ??= [];
    first.followers.push(after);
    second.blockers++;
    this.count++;
  }

  private connectDelete(index: number, node: Node): void {
    if (node.base !== undefined) {
      const base = node.base;
      this.connect(index, this.deleteOf(base));
      if (this.deleteOf(base) === -1) this.connect(index, this.putOf(base));
    }
    for (const support of this.supports(node.appliedDependencies, node, node.supports))
      this.connect(index, this.departureOf(support));
  }

  private connectPut(index: number, node: Node): void {
    this.connect(node.deleteOperation, index);
    if (node.base !== undefined) this.connect(this.putOf(node.base), index);
    for (const support of this.supports(node.desiredDependencies, node, this.outlook.supportsOf(node))) {
      const put = this.putOf(support);
      if (this.operations[put]?.kind === "CREATE") this.connect(put, index);
    }
    // An update moves away from what the old value depended on: that may go only afterwards.
    if (node.present && node.deleteOperation === -1 && node.appliedDependencies !== node.desiredDependencies) {
      for (const support of this.supports(node.appliedDependencies, node, node.supports))
        this.connect(index, this.departureOf(support));
    }
  }

  /** The nodes that dependencies rest on. */
  private supports(
    dependencies: readonly Dependency[],
    self: Node,
    supports: ReadonlyMap<string, string> | undefined,
  ): readonly Node[] {
    if (dependencies.length === 0) return [];
    const own = supports === self.supports;
    const { shared } = this;
    if (shared?.dependencies === dependencies && shared.supports === supports && shared.own === own)
      return shared.nodes;
    const nodes: Node[] = [];
    const needs = expanded(this.graph, dependencies, self);
    // What hangs on who asks is not passed on: peers, and what had to be searched for.
    let isCommon = needs === dependencies;
    for (const dependency of needs) {
      let node = this.known(dependency, supports, own);
      if (node === undefined && "anyOf" in dependency) {
        node = this.searched(dependency, self);
        isCommon = false;
      }
      if (node !== undefined && node !== self) nodes.push(node);
    }
    this.shared = isCommon ? { dependencies, supports, own, nodes } : undefined;
    return nodes;
  }

  private known(
    dependency: Dependency,
    supports: ReadonlyMap<string, string> | undefined,
    own: boolean,
  ): Node | undefined {
    if ("key" in dependency) return this.graph.get(dependency.key);
    if ("peer" in dependency) return undefined;
    const known = this.graph.get(supports?.get(anyOfName(dependency)) ?? "");
    const stands = own ? isPresent : this.outlook.existsAfter;
    return known !== undefined && stands(known) ? known : undefined;
  }

  /**
   * What it rested on has gone: an obtained value, or one whose dependents could not be removed first. What depends on it in turn is
   * nothing that it could rest on.
   */
  private searched(dependency: AnyOf, self: Node): Node | undefined {
    const own = restingOn(this.graph, self);
    const exists: Existence = (other) => other?.present === true && !own.has(other);
    return this.graph.get(support(this.graph, dependency, self, exists) ?? "");
  }

  /** The operation with which it goes: that of its base, where it is not ours. */
  private departureOf(node: Node): number {
    let going = node;
    while (going.broken && going.present && !going.managed && going.base !== undefined) going = going.base;
    return this.deleteOf(going);
  }

  private deleteOf(node: Node): number {
    return this.operations[node.deleteOperation]?.node === node ? node.deleteOperation : -1;
  }

  private putOf(node: Node): number {
    return this.operations[node.putOperation]?.node === node ? node.putOperation : -1;
  }

  private releasedClaims(): Map<string, number[]> {
    const releases = new Map<string, number[]>();
    for (const [index, { kind, node }] of this.operations.entries()) {
      if (kind === "CREATE" || node.value === undefined) continue;
      for (const claim of node.descriptor?.claims?.(node.key, node.value) ?? []) {
        const others = releases.get(claim);
        if (others === undefined) releases.set(claim, [index]);
        else others.push(index);
      }
    }
    return releases;
  }

  private connectClaims(index: number, node: Node, releases: ReadonlyMap<string, readonly number[]>): void {
    const desired = node.desired;
    if (desired === undefined) return;
    for (const claim of node.descriptor?.claims?.(node.key, desired) ?? [])
      for (const release of releases.get(claim) ?? []) this.connect(release, index);
  }
}
