import { errorMessage } from "../../errors.js";
import { deepEqual } from "../api/equality.js";
import type { Dependency, InvalidField, KeyedValue } from "../api/scheduler.js";
import { holds, isPresent } from "./dependencies.js";
import { DependentsIndex } from "./dependents-index.js";
import type { Descriptors } from "./descriptors.js";
import { KeyIndex } from "./key-index.js";
import { type AnyDescriptor, NO_DEPENDENCIES, Node, withParts } from "./node.js";

/**
 * The graph of values. Its methods keep nodes, dependency indexes, derived values and metadata maps consistent; deciding
 * what should change is the planner's business.
 */
export class Graph {
  readonly dependents = new DependentsIndex();
  /** Values that stay since they were found, and nobody wants, each with its claims; and who has a claim. */
  readonly orphans = new Map<Node, readonly string[]>();
  readonly orphanClaims = new Map<string, Node>();
  /** Number of the last read of what is in the southbound. */
  reads = 0;
  private readonly nodes = new Map<string, Node>();
  private readonly presentKeys = new KeyIndex(() => this.managedKeys());
  /** Bases whose derived value is already derived from another base, by the key they quarrel about. */
  private readonly contested = new Map<string, Set<Node>>();

  constructor(private readonly descriptors: Descriptors) {}

  get size(): number {
    return this.nodes.size;
  }

  get(key: string): Node | undefined {
    return this.nodes.get(key);
  }

  all(): IterableIterator<Node> {
    return this.nodes.values();
  }

  /** The node of a key, made when it is new. */
  node(key: string): Node {
    let node = this.nodes.get(key);
    if (node === undefined) {
      node = new Node(key, this.descriptors.forKey(key));
      this.nodes.set(key, node);
    }
    return node;
  }

  /** Present keys that begin with one of the prefixes; all when there are none. */
  *present(prefixes: readonly string[] | undefined): IterableIterator<string> {
    if (prefixes === undefined) yield* this.managedKeys();
    else for (const prefix of prefixes) yield* this.presentKeys.withPrefix(prefix);
  }

  /**
   * Sets what is desired under a key, with everything derived from it. An invalid value is only noted as rejected: what was
   * desired before stays. `touched` gets every node that was asked to change.
   */
  setDesired(node: Node, asked: object | undefined, touched: Node[]): void {
    // What is in the southbound already stays the same object, so that comparing objects tells whether something is to be done.
    const desired = node.managed && deepEqual(node.value, asked) ? node.value : asked;
    touched.push(node);
    const fields = desired === undefined ? undefined : invalidFields(node, desired);
    if (desired !== undefined && fields !== undefined) {
      node.rejected = { value: desired, fields };
      return;
    }
    const computed = computeParts(node, desired);
    if (desired !== undefined && computed.problem !== undefined) {
      node.rejected = { value: desired, fields: [computed.problem] };
      return;
    }
    this.forgetOrphan(node);
    this.want(node, desired, computed, touched);
  }

  private want(node: Node, desired: object | undefined, { dependencies, derived }: Parts, touched: Node[]): void {
    node.desired = desired;
    node.rejected = undefined;
    this.replaceDependencies(node, dependencies, node.value === desired ? dependencies : node.appliedDependencies);
    this.setDesiredDerived(node, derived, touched);
  }

  /** Has a value stay as it is, valid or not, though nobody wants it. */
  setOrphan(node: Node, value: object, touched: Node[]): void {
    touched.push(node);
    this.forgetOrphan(node);
    this.want(node, value, computeParts(node, value), touched);
    const claims = node.descriptor?.claims?.(node.key, value) ?? [];
    node.orphaned = true;
    this.orphans.set(node, claims);
    for (const claim of claims) this.orphanClaims.set(claim, node);
  }

  /** Takes an orphan over as it was found in the southbound. */
  setFoundOrphan(node: Node, found: object, metadata: unknown, touched: Node[]): void {
    this.setOrphan(node, found, touched);
    this.setFound(node, found, metadata, touched);
  }

  /**
   * An orphan rests on what it was found to rest on. What else its descriptor would have it wait for (an interface under a name that is
   * not known any more) is not there, and it is.
   */
  confirmOrphan(orphan: Node): void {
    for (const node of withParts(orphan)) {
      if (node.desired === undefined || node.value !== node.desired) continue;
      const held = node.desiredDependencies.filter((each) => holds(this, each, node, isPresent));
      if (held.length < node.desiredDependencies.length) this.replaceDependencies(node, held, held);
    }
  }

  private forgetOrphan(node: Node): void {
    if (!node.orphaned) return;
    node.orphaned = false;
    for (const claim of this.orphans.get(node) ?? []) {
      if (this.orphanClaims.get(claim) === node) this.orphanClaims.delete(claim);
    }
    this.orphans.delete(node);
  }

  /** Records that `value` is in the southbound. */
  setPresent(node: Node, value: object, managed: boolean, metadata: unknown): void {
    const appeared = node.value === undefined;
    node.value = value;
    node.managed = managed;
    node.missing = false;
    node.metadata = metadata;
    this.keepMetadata(node, metadata);
    const applied = value === node.desired ? node.desiredDependencies : computeParts(node, value).dependencies;
    this.replaceDependencies(node, node.desiredDependencies, applied);
    if (appeared) this.presentKeys.add(node.key);
  }

  /** Records that nothing is in the southbound. */
  setAbsent(node: Node): void {
    if (node.value === undefined) return;
    node.value = undefined;
    node.managed = false;
    node.metadata = undefined;
    this.keepMetadata(node, undefined);
    this.replaceDependencies(node, node.desiredDependencies, NO_DEPENDENCIES);
    this.presentKeys.remove(node.key);
  }

  /** Records what somebody else put there, with everything derived from it. It shows unless northbound manages the value. */
  setObtained(node: Node, obtained: object | undefined, metadata: unknown, touched: Node[]): void {
    touched.push(node);
    const before = node.obtained;
    node.obtained = obtained;
    if (!node.managed) this.showObtained(node, metadata);
    const derived = derivedOf(node, obtained);
    const keys = new Set(derived.map((each) => each.key));
    for (const old of derivedOf(node, before)) {
      const child = this.nodes.get(old.key);
      if (!keys.has(old.key) && child?.base === node) this.setObtained(child, undefined, undefined, touched);
    }
    for (const { key, value } of derived) {
      const child = this.adopt(node, key);
      if (child !== undefined) this.setObtained(child, value, undefined, touched);
    }
  }

  /** Takes over what a retrieve found under a base key, put there by somebody else. What was ours there is gone. */
  setReplaced(node: Node, obtained: object, metadata: unknown, touched: Node[]): void {
    if (node.managed && equivalent(node, obtained, node.value ?? obtained)) {
      this.setFound(node, obtained, metadata, touched);
    } else if (node.managed) {
      this.dropObtained(node, touched);
      this.setFound(node, undefined, undefined, touched);
      node.missing = false;
    }
    this.setObtained(node, obtained, metadata, touched);
  }

  /** Records that a value was deleted: what somebody else had put there goes with it, unless nothing can delete it. */
  setDeleted(node: Node): void {
    this.setAbsent(node);
    if (outlastsDeletion(node)) this.showObtained(node);
    else this.dropObtained(node);
  }

  /** What somebody else had put there is gone, and what he had derived from it. */
  private dropObtained(node: Node, touched?: Node[]): void {
    touched?.push(node);
    node.obtained = undefined;
    if (!node.managed) this.setAbsent(node);
    for (const child of node.derived ?? []) if (child.obtained !== undefined) this.dropObtained(child, touched);
  }

  /** Lets the obtained value (or nothing) be what is in the southbound. */
  showObtained(node: Node, metadata: unknown = node.metadata): void {
    if (node.obtained === undefined) this.setAbsent(node);
    else this.setPresent(node, node.obtained, false, metadata);
  }

  /**
   * Takes over what a retrieve found under a base key of ours (`undefined`: nothing), with the derived values that follow
   * from it. A found value that means the same as the desired one becomes the desired one, so that nothing is planned.
   */
  setFound(node: Node, found: object | undefined, metadata: unknown, touched: Node[]): void {
    touched.push(node);
    if (found !== undefined && found === node.desired && node.derived === undefined) {
      this.setPresent(node, found, true, metadata);
      return;
    }
    const children = new Map(derivedOf(node, found).map(({ key, value }) => [key, value]));
    if (found === undefined) {
      if (node.managed) node.missing = node.desired !== undefined;
      this.setAbsent(node);
      if (node.obtained !== undefined) this.showObtained(node);
    } else {
      const same = node.desired !== undefined && equivalent(node, found, node.desired);
      this.setPresent(node, same && node.desired !== undefined ? node.desired : found, true, metadata);
    }
    for (const child of node.derived ?? []) {
      if (!children.has(child.key) && !child.idle) this.setFound(child, undefined, undefined, touched);
    }
    for (const [key, value] of children) this.setFoundPart(node, key, value, touched);
  }

  /** What somebody else has derived from a value that was taken over stays his until it is taken over too. */
  private setFoundPart(base: Node, key: string, value: object, touched: Node[]): void {
    const part = this.adopt(base, key);
    if (part === undefined) return;
    if (part.obtained !== undefined && !part.managed) this.setObtained(part, value, part.metadata, touched);
    else this.setFound(part, value, part.metadata, touched);
  }

  /** Forgets a node that nobody wants and that is not there. */
  forget(node: Node): void {
    if (!node.idle || node.forgotten) return;
    for (const child of node.derived ?? []) if (!child.idle) return;
    for (const child of node.derived ?? []) this.forget(child);
    this.dependents.remove(node, node.desiredDependencies);
    this.dependents.remove(node, node.appliedDependencies);
    node.base?.derived?.delete(node);
    this.nodes.delete(node.key);
    node.forgotten = true;
  }

  /** Keys that this base derives, but another base had first. */
  contestedBy(base: Node): readonly string[] {
    return [...this.contested].filter(([, bases]) => bases.has(base)).map(([key]) => key);
  }

  get hasContested(): boolean {
    return this.contested.size > 0;
  }

  private setDesiredDerived(node: Node, derived: readonly KeyedValue[], touched: Node[]): void {
    if (derived.length === 0 && node.derived === undefined) return;
    const values = new Map(derived.map(({ key, value }) => [key, value]));
    for (const child of node.derived ?? []) {
      if (!values.has(child.key) && (child.desired !== undefined || child.rejected !== undefined)) {
        this.setDesired(child, undefined, touched);
        this.resolveContest(child, touched);
      }
    }
    for (const [key, value] of values) {
      const child = this.adopt(node, key);
      if (child === undefined) continue;
      if (child.desired === undefined || child.rejected !== undefined || !deepEqual(child.desired, value)) {
        this.setDesired(child, value, touched);
      } else touched.push(child);
    }
    this.dropContests(node, values);
  }

  /** Makes `key` a derived value of `base`; `undefined` when it belongs to another base. */
  private adopt(base: Node, key: string): Node | undefined {
    const child = this.node(key);
    const free = child.base === undefined ? child.desired === undefined : child.base === base || child.idle;
    if (!free) {
      const bases = this.contested.get(key) ?? new Set();
      this.contested.set(key, bases.add(base));
      return undefined;
    }
    if (child.base !== base) child.base?.derived?.delete(child);
    child.base = base;
    base.derived ??= new Set();
    base.derived.add(child);
    return child;
  }

  /** A derived value became free: bases that also derive it get their turn. */
  private resolveContest(child: Node, touched: Node[]): void {
    const bases = this.contested.get(child.key);
    if (bases === undefined) return;
    const [next] = bases;
    if (next === undefined) return;
    bases.delete(next);
    if (bases.size === 0) this.contested.delete(child.key);
    const value = derivedOf(next, next.desired).find((each) => each.key === child.key)?.value;
    if (value === undefined) return;
    child.base?.derived?.delete(child);
    child.base = next;
    next.derived ??= new Set();
    next.derived.add(child);
    this.setDesired(child, value, touched);
  }

  private dropContests(base: Node, derived: ReadonlyMap<string, object>): void {
    for (const [key, bases] of this.contested) {
      if (derived.has(key)) continue;
      bases.delete(base);
      if (bases.size === 0) this.contested.delete(key);
    }
  }

  private replaceDependencies(node: Node, desired: readonly Dependency[], applied: readonly Dependency[]): void {
    const { desiredDependencies, appliedDependencies } = node;
    node.desiredDependencies = desired;
    node.appliedDependencies = applied;
    const only = onlyList(desired, applied);
    // A value that comes or goes as it was desired: what it watches is the same.
    if (only !== undefined && only === onlyList(desiredDependencies, appliedDependencies)) return;
    this.dependents.remove(node, desiredDependencies);
    this.dependents.remove(node, appliedDependencies);
    this.dependents.add(node, desired);
    if (applied !== desired) this.dependents.add(node, applied);
  }

  private keepMetadata({ key, descriptor }: Node, metadata: unknown): void {
    if (descriptor?.metadataMap === undefined) return;
    try {
      descriptor.metadataMap.set(key, metadata);
    } catch (error) {
      this.descriptors.report(`the metadata of ${key} could not be indexed or watched`, error);
    }
  }

  private *managedKeys(): IterableIterator<string> {
    for (const node of this.nodes.values()) if (node.value !== undefined) yield node.key;
  }
}

/** Is an obtained value still there when ours, which had taken its place, was deleted? Only where deleting does nothing. */
export function outlastsDeletion({ obtained, descriptor }: Node): boolean {
  return obtained !== undefined && descriptor?.delete === undefined;
}

/** Do both values mean the same in the southbound? */
export function equivalent(node: Node, a: object, b: object): boolean {
  if (a === b) return true;
  return node.descriptor?.equivalent?.(node.key, a, b) ?? deepEqual(a, b);
}

function invalidFields(node: Node, value: object): readonly InvalidField[] | undefined {
  try {
    const fields = node.descriptor?.validate?.(node.key, value) ?? [];
    return fields.length === 0 ? undefined : fields;
  } catch (error) {
    return [{ field: "", problem: errorMessage(error) }];
  }
}

/** The list that says it all, when one of the two does. */
function onlyList(a: readonly Dependency[], b: readonly Dependency[]): readonly Dependency[] | undefined {
  if (a === b || b === NO_DEPENDENCIES) return a;
  return a === NO_DEPENDENCIES ? b : undefined;
}

interface Parts {
  readonly dependencies: readonly Dependency[];
  readonly derived: readonly KeyedValue[];
  readonly problem?: InvalidField;
}

const NO_PARTS: Parts = { dependencies: NO_DEPENDENCIES, derived: [] };

/** What a descriptor says a value consists of and waits for. A descriptor that throws makes the value invalid. */
function computeParts({ descriptor, key }: Node, value: object | undefined): Parts {
  return value === undefined ? NO_PARTS : partsOf(descriptor, key, value);
}

function partsOf(descriptor: AnyDescriptor | undefined, key: string, value: object): Parts {
  if (descriptor === undefined) return NO_PARTS;
  try {
    const dependencies = descriptor.dependencies?.(key, value) ?? NO_DEPENDENCIES;
    const derived = descriptor.derivedValues?.(key, value) ?? [];
    return { dependencies: dependencies.length === 0 ? NO_DEPENDENCIES : dependencies, derived };
  } catch (error) {
    return { ...NO_PARTS, problem: { field: "", problem: errorMessage(error) } };
  }
}

/** What a value of this node depends on, or would if it were there. */
export function dependenciesOf(
  descriptor: AnyDescriptor | undefined,
  key: string,
  value: object,
): readonly Dependency[] {
  return partsOf(descriptor, key, value).dependencies;
}

function derivedOf(node: Node, value: object | undefined): readonly KeyedValue[] {
  return computeParts(node, value).derived;
}
