import { errorMessage } from "../../errors.js";
import type { Slices } from "../../slices.js";
import type { Clock } from "../api/clock.js";
import { deepEqual } from "../api/equality.js";
import type { Origin, RetrievedValue } from "../api/scheduler.js";
import type { Descriptors } from "../graph/descriptors.js";
import { Expectation, expectation } from "../graph/expectation.js";
import type { Graph } from "../graph/graph.js";
import { type AnyDescriptor, type Node, root, withParts } from "../graph/node.js";

export interface RetrievalOptions {
  /** Read these base keys only; everything when left out. */
  readonly only?: ReadonlySet<string> | undefined;
  /** Values of ours that nobody wants are taken over as orphans, which stay. */
  readonly keepOrphans: boolean;
  /** What was desired before the transaction changed it: that is what is in the southbound, if anything is. */
  readonly before?: ReadonlyMap<Node, object | undefined> | undefined;
  /** Gets what was found, by key. */
  readonly found?: Map<string, object> | undefined;
  /** How long one descriptor may take, ms. */
  readonly timeout: number;
  readonly clock: Clock;
  readonly slices: Slices;
}

/**
 * Reads the southbound state into the graph. Returns a sentence for each descriptor that could not read; its values stay as the cache
 * have them.
 */
export async function readSouthbound(
  graph: Graph,
  descriptors: Descriptors,
  touched: Node[],
  options: RetrievalOptions,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const review = new Review(touched);
  const known = basesByDescriptor(graph, options.only);
  for (const descriptor of descriptors.inRetrieveOrder()) {
    const nodes = known.get(descriptor) ?? [];
    if (options.only !== undefined && nodes.length === 0) continue;
    // Only what was answered before the read began is known by the time it ends.
    const answered = unread(nodes);
    try {
      await merge(graph, nodes, await retrieve(descriptor, nodes, options), review, options);
      for (const node of answered) node.lateAnswer = "none";
    } catch (error) {
      problems.push(`reading back with ${descriptor.name} failed: ${errorMessage(error)}`);
    }
  }
  review.finish();
  for (const orphan of review.orphans) graph.confirmOrphan(orphan);
  return problems;
}

function unread(bases: readonly Node[]): readonly Node[] {
  const nodes: Node[] = [];
  for (const base of bases) {
    if (base.derived !== undefined) nodes.push(...withParts(base).filter(({ lateAnswer }) => lateAnswer === "unread"));
    else if (base.lateAnswer === "unread") nodes.push(base);
  }
  return nodes;
}

/**
 * Sorts what was read: values that are in the southbound just as the cache had them, and as they are desired, need no look, unless something else is
 * different: what they rest on may be.
 */
class Review {
  /** Those that were taken over. */
  readonly orphans: Node[] = [];
  private readonly unchanged: Node[] = [];
  private readonly own: Node[] = [];
  private isDifferent = false;

  constructor(private readonly touched: Node[]) {}

  /** True when a value without parts is in the southbound as the cache has it and as it is desired; then there is nothing to take over. */
  isUnchanged(node: Node, { value, metadata }: RetrievedValue): boolean {
    const isSettled =
      node.value === value &&
      node.desired === value &&
      node.managed &&
      node.metadata === metadata &&
      node.derived === undefined &&
      node.obtained === undefined &&
      isSound(node);
    if (isSettled) this.unchanged.push(node);
    return isSettled;
  }

  /** Has the cache take over what was found under a key. */
  note(node: Node, takeOver: (touched: Node[]) => void): void {
    const { value } = node;
    const before = node.derived === undefined ? undefined : withParts(node).map((part) => [part, part.value] as const);
    const wasSound = before === undefined ? isSound(node) : before.every(([part]) => isSound(part));
    const { own } = this;
    own.length = 0;
    takeOver(own);
    const isSettled =
      wasSound &&
      own.length === (before?.length ?? 1) &&
      (before === undefined
        ? node.derived === undefined && isAsBefore(node, value)
        : before.every(([part, old]) => isAsBefore(part, old)));
    for (const each of own) (isSettled ? this.unchanged : this.touched).push(each);
    // What was not there and is not there now changes nothing for others.
    if (!isSettled && (value !== undefined || node.value !== undefined)) this.isDifferent = true;
  }

  finish(): void {
    if (this.isDifferent) for (const node of this.unchanged) this.touched.push(node);
  }
}

/** It is there, and nothing about it has to be revalidated. */
function isSound({ value, failure, lateAnswer, rejected }: Node): boolean {
  return value !== undefined && failure === undefined && lateAnswer === "none" && rejected === undefined;
}

/** What is in the southbound is still the same, and what northbound wants if it is ours. */
function isAsBefore(node: Node, before: object | undefined): boolean {
  return node.managed ? node.value === before && node.desired === before : deepEqual(node.value, before);
}

/** What a refresh read, and how it was known before. */
export interface Refreshed {
  readonly bases: ReadonlySet<Node>;
  /** Southbound values as the cache had them, parts included. */
  readonly before: ReadonlyMap<Node, object | undefined>;
  readonly problems: readonly string[];
}

/** Reads base keys, and what depended on those that have vanished: it may have gone with them. */
export async function readWithDependents(
  graph: Graph,
  descriptors: Descriptors,
  keys: ReadonlySet<string>,
  touched: Node[],
  options: RetrievalOptions,
): Promise<Refreshed> {
  const bases = new Set<Node>();
  const before = new Map<Node, object | undefined>();
  const problems: string[] = [];
  for (let only = keys; only.size > 0; ) {
    const read = [...only].flatMap((key) => withParts(graph.get(key)));
    for (const node of read) {
      if (options.slices.isDue) await options.slices.next();
      before.set(node, node.value);
      bases.add(root(node));
    }
    problems.push(...(await readSouthbound(graph, descriptors, touched, { ...options, only })));
    const vanished = read.filter((node) => !node.present && before.get(node) !== undefined);
    const dependents = vanished.flatMap((node) => [...graph.dependents.of(node.key)]).filter((each) => each.managed);
    only = new Set(dependents.map((each) => root(each)).flatMap((base) => (bases.has(base) ? [] : [base.key])));
  }
  return { bases, before, problems };
}

function basesByDescriptor(graph: Graph, only: ReadonlySet<string> | undefined): Map<AnyDescriptor, Node[]> {
  const groups = new Map<AnyDescriptor, Node[]>();
  const add = (node: Node | undefined): void => {
    if (node?.descriptor === undefined || node.base !== undefined) return;
    const group = groups.get(node.descriptor);
    if (group === undefined) groups.set(node.descriptor, [node]);
    else group.push(node);
  };
  if (only === undefined) for (const node of graph.all()) add(node);
  else for (const key of only) add(graph.get(key));
  return groups;
}

async function retrieve(
  descriptor: AnyDescriptor,
  nodes: readonly Node[],
  { only, before, timeout, clock, slices }: RetrievalOptions,
): Promise<readonly RetrievedValue[]> {
  const correlate: Expectation[] = [];
  for (const node of nodes) {
    if (slices.isDue) await slices.next();
    const expected = expectation(node, before?.get(node));
    if (expected !== undefined) correlate.push(expected);
  }
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = clock.setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
  });
  try {
    return await Promise.race([descriptor.retrieve?.(correlate, only) ?? [], late]);
  } finally {
    clock.clearTimeout(timer);
  }
}

async function merge(
  graph: Graph,
  nodes: readonly Node[],
  found: readonly RetrievedValue[],
  review: Review,
  { only, keepOrphans, found: notes, slices }: RetrievalOptions,
): Promise<void> {
  const read = ++graph.reads;
  const claims = new DesiredClaims(graph);
  for (const each of found) {
    if (slices.isDue) await slices.next();
    const { key, value, origin, metadata } = each;
    if (only !== undefined && !only.has(key)) continue;
    notes?.set(key, value);
    const expected = Expectation.nodeOf(each);
    const node = expected ?? graph.node(key);
    node.foundIn = read;
    if (expected !== undefined && review.isUnchanged(expected, each)) continue;
    review.note(node, (touched) => {
      if (!isOurs(node, origin)) {
        // Somebody put something else in its place.
        if (node.orphaned) graph.setDesired(node, undefined, touched);
        graph.setReplaced(node, value, metadata, touched);
      } else if (node.orphaned || (keepOrphans && isOrphan(node, each) && !claims.include(node, value))) {
        graph.setFoundOrphan(node, value, metadata, touched);
        review.orphans.push(node);
      } else graph.setFound(node, value, metadata, touched);
    });
  }
  for (const node of nodes) {
    if (slices.isDue) await slices.next();
    if (node.foundIn !== read) review.note(node, (touched) => mergeVanished(graph, node, touched));
  }
}

/** Nobody said anything about it. What a descriptor made after its time had been reverted by then. */
function isOrphan(node: Node, { remains }: RetrievedValue): boolean {
  if (remains === true || node.desired !== undefined || node.managed) return false;
  return node.failure === undefined && node.lateAnswer === "none";
}

/** What only one value can have, and somebody wants. Worked out when it is asked for: mostly nobody does. */
class DesiredClaims {
  private claims: ReadonlySet<string> | undefined;

  constructor(private readonly graph: Graph) {}

  /** Does somebody want what a value of this key has? */
  include({ key, descriptor }: Node, value: object): boolean {
    const own = descriptor?.claims?.(key, value) ?? [];
    if (own.length === 0) return false;
    this.claims ??= new Set(this.all());
    return own.some((claim) => this.claims?.has(claim));
  }

  private *all(): Generator<string> {
    for (const { key, descriptor, base, orphaned, desired } of this.graph.all()) {
      if (base === undefined && !orphaned && desired !== undefined) yield* descriptor?.claims?.(key, desired) ?? [];
    }
  }
}

function mergeVanished(graph: Graph, node: Node, touched: Node[]): void {
  // What is gone is no orphan any more; one that could not be brought back after a re-creation is tried again.
  if (node.orphaned && node.failure === undefined) graph.setDesired(node, undefined, touched);
  if (node.obtained !== undefined) graph.setObtained(node, undefined, undefined, touched);
  if (node.managed || node.desired !== undefined || node.failure !== undefined)
    graph.setFound(node, undefined, undefined, touched);
}

/** What was there before it was desired, and was not taken over since, is somebody else's still. */
function isOurs(node: Node, origin: Origin): boolean {
  if (origin !== "unknown") return origin === "northbound";
  return node.managed || (node.desired !== undefined && node.obtained === undefined);
}
