import type { Slices } from "../../slices.js";
import type { Dependency } from "../api/scheduler.js";
import {
  type AnyOf,
  anyOfName,
  type Existence,
  holds,
  isPartOf,
  matchesAnyOf,
  restingOn,
  restingOnAfter,
  sameDependencies,
  sameDependency,
  support,
  supportsNow,
} from "../graph/dependencies.js";
import { NOBODY } from "../graph/dependents-index.js";
import { equivalent, type Graph, outlastsDeletion } from "../graph/graph.js";
import { type Node, root } from "../graph/node.js";
import { DependencyCache } from "./dependency-cache.js";
import { buildOperations, type Operation } from "./operations.js";

export interface Plan {
  /** In an order in which they could run one by one. */
  readonly operations: readonly Operation[];
  /** Every node that was looked at. */
  readonly nodes: readonly Node[];
  /** Nodes whose southbound value already means what is desired: to be written into the cache, nothing to do in the southbound. */
  readonly adopted: readonly Node[];
  /** Nodes with a note of what the `anyOf` dependencies of the value to come rest on. */
  readonly supported: readonly Node[];
}

export interface PlanOptions {
  /** Values whose operation failed in this transaction are left as they are. */
  readonly transaction: number;
  /** Check the dependencies of every start anew: the cache may have been wrong. */
  readonly verify?: boolean;
  /** Base values that are to be left as they are, with their parts, even where something has to be done about them. */
  readonly held?: ReadonlySet<Node>;
  /** Nothing but late answers changes the graph meanwhile. */
  readonly slices: Slices;
}

let epochs = 0;

/**
 * Works out which values will exist and which operations lead there. It looks at the starts and at what they affect, never at the
 * whole graph. Two steps, as in the incremental evaluation of Datalog programs (delete and re-derive):
 *
 * 1. *Break*: what is not desired any more or has to be re-created must go, and so must everything that depends on it
 *    and has nothing else to stand on.
 * 2. *Grant*: starting from what is left, desired values whose dependencies hold are granted, again and again. What is never
 *    granted stays pending; so do cycles, since none of their members can be the first.
 *
 * A value whose new dependencies are not granted after all is broken too, and both steps run again.
 */
export async function makePlan(graph: Graph, starts: readonly Node[], options: PlanOptions): Promise<Plan> {
  const forced = new Set<Node>();
  for (let mayReplace = true; ; ) {
    const planning = new Planning(graph, options, forced, mayReplace);
    const nodes = await planning.converge(starts);
    const { operations, adopted, cycle } = await buildOperations(graph, nodes, planning, options);
    if (cycle === "none") return { operations, nodes, adopted, supported: planning.dependencyCache.supported };
    // What supports a value cannot be replaced while the value stays, if that is part of the circle.
    if (planning.moving.size > 0) {
      mayReplace = false;
      continue;
    }
    // Values that swap what they depend on cannot all be updated in place: those in the way are re-created.
    for (const node of cycle) forced.add(node);
  }
}

class Planning {
  private readonly epoch = ++epochs;
  private readonly nodes: Node[] = [];
  private readonly candidates: Node[] = [];
  private readonly broken: Node[] = [];
  private readonly gained: Node[] = [];
  private starts: readonly Node[] = [];
  /** By the name of an `anyOf` dependency. */
  private readonly coming = new Map<string, readonly Node[]>();
  readonly dependencyCache: DependencyCache;
  /** Values that stay while everything that one of their `anyOf` dependencies could rest on is replaced, one thing after the other. */
  readonly moving = new Set<Node>();

  constructor(
    private readonly graph: Graph,
    private readonly options: PlanOptions,
    private readonly forced: ReadonlySet<Node>,
    private readonly mayReplace: boolean,
  ) {
    this.dependencyCache = new DependencyCache(graph, this.epoch, this.existsAfter);
  }

  async converge(starts: readonly Node[]): Promise<readonly Node[]> {
    const { slices } = this.options;
    this.starts = starts;
    for (const start of starts) {
      if (slices.isDue) await slices.next();
      this.enter(start, this.options.verify ?? false);
      this.lookAtPeersOf(start);
      if (!start.present) this.lookAtDependentsOf(start);
    }
    for (;;) {
      await this.spreadBreakage();
      await this.grantAll();
      const failing = this.candidates.filter((node) => node.tentative && !node.granted);
      if (failing.length === 0) return this.nodes;
      for (const node of failing) this.break(node);
    }
  }

  private readonly unbroken: Existence = (node) => node?.value !== undefined && !(this.knows(node) && node.broken);

  /** A value that has just failed, or that a descriptor may still be at work on, is nothing to build upon. */
  readonly existsAfter: Existence = (node) =>
    node !== undefined &&
    node.lateAnswer === "none" &&
    !this.isFrozen(node) &&
    (this.knows(node) ? node.exists : node.present) &&
    (!isForeignPart(node) || this.existsAfter(node.base));

  readonly supportsOf = (node: Node): ReadonlyMap<string, string> | undefined => this.dependencyCache.supportsOf(node);

  private knows(node: Node): boolean {
    return node.epoch === this.epoch;
  }

  private isFrozen(node: Node): boolean {
    return node.failedIn === this.options.transaction;
  }

  /** Nothing is done about it in this plan. Unlike a frozen value it counts as what it is. */
  private isHeld(node: Node): boolean {
    const { held } = this.options;
    return held !== undefined && held.size > 0 && held.has(root(node));
  }

  private enter(node: Node, verify: boolean): void {
    if (this.knows(node)) return;
    node.epoch = this.epoch;
    node.broken = false;
    node.tentative = false;
    node.granted = false;
    node.exists = node.present;
    this.nodes.push(node);
    if (this.isFrozen(node) || this.isHeld(node)) return;
    if (node.desired === undefined) this.enterUndesired(node);
    else if (node.eligible) this.enterDesired(node, verify);
  }

  private enterUndesired(node: Node): void {
    if (!node.managed) {
      if (node.present) this.gained.push(node);
    } else if (node.obtained === undefined || node.descriptor?.update === undefined) this.break(node);
  }

  private enterDesired(node: Node, verify: boolean): void {
    if (!node.managed) {
      this.candidates.push(node);
      // Until it is taken over it is there all the same.
      if (node.present) this.gained.push(node);
    } else if (this.forced.has(node) || mustRecreate(node)) this.break(node);
    else if (verify || !sameDependencies(node.desiredDependencies, node.appliedDependencies)) this.revalidate(node);
    else this.keep(node);
  }

  private keep(node: Node): void {
    node.granted = true;
    // Nothing was built upon it when it failed: now something may be.
    if (node.failure !== undefined) this.gained.push(node);
  }

  /**
   * Has a present value prove anew that its dependencies hold, and with it everything that rests on it: two values must not keep each
   * other alive.
   */
  private revalidate(start: Node): void {
    const work = [start];
    for (let node = work.pop(); node !== undefined; node = work.pop()) {
      this.enter(node, false);
      if (isForeignPart(node)) for (const dependent of this.dependentsOf(node.key)) work.push(dependent);
      if (!node.eligible || !node.present || !node.managed || node.broken || node.tentative) continue;
      if (this.isFrozen(node) || this.isHeld(node)) continue;
      node.tentative = true;
      node.granted = false;
      this.candidates.push(node);
      for (const child of node.derived ?? []) work.push(child);
      for (const dependent of this.dependentsOf(node.key)) work.push(dependent);
    }
  }

  /** A start may be the peer that others wait for, or lean on. */
  private lookAtPeersOf(start: Node): void {
    for (const other of this.graph.dependents.ofPeer(start.key)) {
      if (other.present && other.managed) this.breakUnlessSupported(other);
      else if (other.eligible) this.enter(other, false);
    }
  }

  /** A start that is not there may have vanished, and left behind what depends on it. */
  private lookAtDependentsOf(start: Node): void {
    for (const other of this.dependentsOf(start.key)) {
      if (!other.managed) this.lookAtWaiting(other);
      else if (other.eligible) this.revalidate(other);
      else this.breakUnlessSupported(other);
    }
  }

  /** A value that waits for something, and now for one thing more: its status changes. */
  private lookAtWaiting(node: Node): void {
    if (node.eligible) this.enter(node, false);
  }

  private break(node: Node): void {
    this.enter(node, false);
    if (node.broken || this.isFrozen(node) || this.isHeld(node)) return;
    if (node.eligible && !node.tentative) this.candidates.push(node);
    if (!node.eligible && staysPresent(node)) this.gained.push(node);
    node.broken = true;
    node.tentative = false;
    node.granted = false;
    node.exists = false;
    this.broken.push(node);
  }

  private async spreadBreakage(): Promise<void> {
    const { slices } = this.options;
    for (let gone = this.broken.pop(); gone !== undefined; gone = this.broken.pop()) {
      if (slices.isDue) await slices.next();
      for (const child of gone.derived ?? []) {
        // What somebody else has derived from it goes with it too.
        if (child.present && (child.managed || !staysPresent(gone))) this.break(child);
      }
      for (const peer of this.graph.dependents.ofPeer(gone.key)) this.breakUnlessSupported(peer);
      for (const dependent of this.dependentsOf(gone.key)) {
        this.breakUnlessSupported(dependent);
        for (const peer of this.graph.dependents.ofPeer(dependent.key)) this.breakUnlessSupported(peer);
      }
    }
  }

  /** Breaks a value that has lost a dependency which its next value has too. */
  private breakUnlessSupported(node: Node): void {
    if (!node.managed) this.lookAtWaiting(node);
    if (!node.managed || (this.knows(node) && node.broken)) return;
    // A change that has failed before: it has to be made before what the old value depends on can go.
    if (node.desiredDependencies !== node.appliedDependencies) this.enter(node, false);
    const changes = node.eligible && node.desiredDependencies !== node.appliedDependencies;
    const lost = node.appliedDependencies.some(
      (each) =>
        (!changes || node.desiredDependencies.some((other) => sameDependency(each, other))) &&
        !holds(this.graph, each, node, this.unbroken) &&
        !this.isReplaced(each, node),
    );
    if (lost) this.break(node);
    else if (node.appliedDependencies.some((each) => "anyOf" in each)) this.restElsewhere(node);
  }

  /** Everything that it could rest on goes, and something else comes that could be made before the last of that goes. */
  private isReplaced(dependency: Dependency, node: Node): boolean {
    if (!this.mayReplace || !("anyOf" in dependency) || !node.eligible) return false;
    const coming = this.comingFor(dependency).filter((each) => !isPartOf(each, node));
    if (coming.length === 0) return false;
    const leaving = supportsNow(this.graph, dependency, node);
    const isPossible = coming.some((next) => leaving.some((old) => old !== next));
    if (isPossible) this.moving.add(node);
    return isPossible;
  }

  /** Starts that may be made, anew or for the first time, and that would satisfy an `anyOf`. */
  private comingFor(dependency: AnyOf): readonly Node[] {
    const name = anyOfName(dependency);
    let coming = this.coming.get(name);
    if (coming === undefined) {
      const isComing = (node: Node): boolean => node.eligible && (!node.present || node.broken) && !this.isFrozen(node);
      coming = this.starts.filter((start) => isComing(start) && matchesAnyOf(dependency, start.key));
      this.coming.set(name, coming);
    }
    return coming;
  }

  /** One of the keys that satisfied an `anyOf` goes; others are left. */
  private restElsewhere(node: Node): void {
    if (node.eligible) {
      this.revalidate(node);
      return;
    }
    // It should have gone before, and has not yet: nothing that goes with it keeps it.
    let own: ReadonlySet<Node> | undefined;
    for (const each of node.appliedDependencies) {
      if (!("anyOf" in each)) continue;
      const known = node.supports?.get(anyOfName(each));
      if (known !== undefined && this.unbroken(this.graph.get(known))) continue;
      own ??= restingOn(this.graph, node);
      const others = own;
      const key = support(this.graph, each, node, (other) => this.unbroken(other) && !(other && others.has(other)));
      if (key === undefined) {
        this.break(node);
        return;
      }
      this.dependencyCache.note(node, each, key);
    }
  }

  private async grantAll(): Promise<void> {
    const { slices } = this.options;
    this.dependencyCache.clear();
    for (const node of this.candidates) {
      if (slices.isDue) await slices.next();
      node.notedSupports = undefined;
      node.granted = false;
      node.exists = node.managed ? outlastsDeletion(node) : node.obtained !== undefined && !node.broken;
    }
    for (const node of this.gained) {
      if (slices.isDue) await slices.next();
      // Kept at first, and revalidated since.
      if (node.eligible && node.managed && !node.granted) continue;
      // Gone with its base.
      if (node.broken && !node.managed) continue;
      node.exists = true;
      this.hintDependents(node);
    }
    // Grows while it is walked: announcing a granted value may add candidates.
    for (let i = 0; i < this.candidates.length; i++) {
      if (slices.isDue) await slices.next();
      const node = this.candidates[i];
      if (node !== undefined) this.grant(node);
    }
  }

  private grant(start: Node): void {
    const work = [start];
    for (let node = work.pop(); node !== undefined; node = work.pop()) {
      if (node.granted || !this.mayExist(node)) continue;
      node.granted = true;
      node.exists = true;
      for (const waiting of this.hintDependents(node)) work.push(waiting);
    }
  }

  private mayExist(node: Node): boolean {
    if (node.base !== undefined && !(this.existsAfter(node.base) && this.isOursAfter(node.base))) return false;
    if (!this.dependencyCache.hold(node)) return false;
    // A value that is there already keeps what rests on it: if it rested on that in turn, the two would keep each other.
    const isTakenOver = node.present && !node.managed && !node.broken && node.desiredDependencies.length > 0;
    return !isTakenOver || this.dependencyCache.holdWithout(node, this.restingOn(node));
  }

  private restingOn(node: Node): ReadonlySet<Node> {
    return restingOnAfter(this.graph, node, (other) => this.isOursAfter(other), this.supportsOf);
  }

  /** Parts of a value that somebody else has put there instead cannot be made. */
  private isOursAfter(base: Node): boolean {
    return this.knows(base) ? base.granted || (base.managed && !base.broken) : base.managed;
  }

  /** Tells those who may wait for it that a value will exist. Returns the candidates to look at again. */
  private hintDependents(node: Node): Node[] {
    const dependentsOf = this.dependentsOf(node.key);
    const peers = this.graph.dependents.ofPeer(node.key);
    if (dependentsOf === NOBODY && peers === NOBODY && node.derived === undefined) return [];
    const waiting: Node[] = [];
    const consider = (other: Node): void => {
      if (!this.knows(other) && other.eligible && !(other.present && other.managed)) this.enter(other, false);
      if (!this.knows(other) || other.granted || !other.eligible) return;
      if (!this.isFrozen(other) && !this.isHeld(other)) waiting.push(other);
    };
    for (const dependent of dependentsOf) {
      consider(dependent);
      for (const peer of this.graph.dependents.ofPeer(dependent.key)) consider(peer);
    }
    for (const peer of peers) consider(peer);
    for (const child of node.derived ?? []) {
      consider(child);
      if (isForeignPart(child)) waiting.push(...this.hintDependents(child));
    }
    return waiting;
  }

  private dependentsOf(key: string): Iterable<Node> {
    const { dependents: watchers } = this.graph;
    const byPrefix = watchers.ofPrefixes(key);
    if (byPrefix === NOBODY) return watchers.ofKey(key);
    const others: Node[] = [];
    let looked: readonly Dependency[] | undefined;
    for (const node of byPrefix) {
      if (node.key === key) continue;
      if (node.desiredDependencies !== looked) {
        looked = node.desiredDependencies;
        const dependency = looked.find((each) => matchesAnyOf(each, key));
        if (dependency !== undefined) this.dependencyCache.hint(dependency, key);
      }
      others.push(node);
    }
    return others.length === 0 ? watchers.ofKey(key) : [...watchers.ofKey(key), ...others];
  }
}

/** What somebody else has derived from a value: it is there as long as that is. */
function isForeignPart(node: Node): boolean {
  return node.base !== undefined && node.present && !node.managed;
}

/** Deleting ours leaves what somebody else had put there, with its parts. */
function staysPresent(node: Node): boolean {
  return node.managed && outlastsDeletion(node);
}

/** The change from what is in the southbound to what is desired cannot be made in place. */
function mustRecreate(node: Node): boolean {
  const { descriptor, value, desired } = node;
  if (descriptor === undefined || value === undefined || desired === undefined || equivalent(node, value, desired))
    return false;
  if (descriptor.update === undefined) return descriptor.create !== undefined || descriptor.delete !== undefined;
  return descriptor.updateWithRecreate?.(node.key, value, desired, node.metadata) ?? false;
}
