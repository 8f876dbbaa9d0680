import { deepEqual } from "../api/equality.js";
import type { Node } from "../graph/node.js";
import type { Operation } from "./operations.js";

/** Updates to be made as re-creations, so that nothing waits for itself; there may be none that helps. */
export type Cycle = "none" | readonly Node[];

/** Kahn's algorithm. Keeps the order of the operations where it is free to. `hasAlternative`: another plan is possible. */
export function sort(
  operations: readonly Operation[],
  hasAlternative: boolean,
): { readonly ordered: Operation[]; readonly cycle: Cycle } {
  const blockers = operations.map((each) => each.blockers);
  const order: number[] = [];
  for (let i = 0; i < operations.length; i++) if (blockers[i] === 0) order.push(i);
  for (let i = 0; i < order.length; i++) {
    for (const follower of operations[order[i] ?? -1]?.followers ?? []) {
      const left = (blockers[follower] ?? 0) - 1;
      blockers[follower] = left;
      if (left === 0) order.push(follower);
    }
  }
  if (order.length === operations.length) return { ordered: reorder(operations, order), cycle: "none" };
  const stuck = [...operations.keys()].filter((i) => (blockers[i] ?? 0) > 0);
  const cycle = new Circles(operations, stuck).find().flatMap((circle) => inTheWay(operations, circle));
  // A circle without updates can only come from cache that failures have left inexact: its order is given up.
  return cycle.length > 0 || hasAlternative
    ? { ordered: [], cycle }
    : { ordered: reorder(operations, [...order, ...stuck]), cycle: "none" };
}

/**
 * Of the operations that wait for each other in a circle, the updates to be made as re-creations: those that swap claims (who has
 * what the other claims may be bound to it), else the one whose re-creation costs least.
 */
function inTheWay(operations: readonly Operation[], circle: readonly number[]): readonly Node[] {
  const updates = circle.flatMap((i) => (operations[i]?.kind === "UPDATE" ? [operations[i].node] : []));
  const claiming = updates.filter(changesClaims);
  if (claiming.length > 0) return claiming;
  const [first, ...others] = updates;
  if (first === undefined) return [];
  return [others.reduce((best, node) => (costOfRecreation(node) < costOfRecreation(best) ? node : best), first)];
}

function changesClaims({ key, descriptor, value, desired }: Node): boolean {
  if (descriptor?.claims === undefined || value === undefined || desired === undefined) return false;
  return !deepEqual(descriptor.claims(key, value), descriptor.claims(key, desired));
}

/** Only a value that moves away from what it rested on is in the way of others; a part takes nothing with it. */
function costOfRecreation(node: Node): number {
  const stays = node.appliedDependencies === node.desiredDependencies;
  return (stays ? 4 : 0) + (node.base === undefined ? 2 : 0) + (node.derived === undefined ? 0 : 1);
}

/** Puts the operations into the given order. Relations follow suit; those against the order are dropped. */
function reorder(operations: readonly Operation[], order: readonly number[]): Operation[] {
  const place = new Array<number>(operations.length).fill(0);
  for (const [i, from] of order.entries()) place[from] = i;
  const ordered = order.flatMap((from) => operations[from] ?? []);
  for (const operation of ordered) operation.blockers = 0;
  for (const [i, operation] of ordered.entries()) {
    operation.followers = operation.followers
      ?.map((follower) => place[follower] ?? 0)
      .filter((follower) => follower > i);
    for (const follower of operation.followers ?? []) {
      const waiting = ordered[follower];
      if (waiting !== undefined) waiting.blockers++;
    }
  }
  return ordered;
}

/** Finds operations that wait for each other in circles: strongly connected components, by Tarjan's algorithm, without recursion. */
class Circles {
  private readonly inQuestion: ReadonlySet<number>;
  private readonly numbers = new Map<number, number>();
  /** The lowest number that can be reached from an operation. */
  private readonly lowest = new Map<number, number>();
  private readonly open: number[] = [];
  private readonly path: { readonly at: number; readonly followers: Iterator<number> }[] = [];
  private readonly found: number[][] = [];

  constructor(
    private readonly operations: readonly Operation[],
    private readonly among: readonly number[],
  ) {
    this.inQuestion = new Set(among);
  }

  find(): readonly (readonly number[])[] {
    for (const start of this.among) {
      if (!this.numbers.has(start)) this.enter(start);
      for (let step = this.path.at(-1); step !== undefined; step = this.path.at(-1)) {
        const next = step.followers.next();
        if (next.done === true) this.leave(step.at);
        else this.follow(step.at, next.value);
      }
    }
    return this.found;
  }

  private enter(at: number): void {
    this.lowest.set(at, this.numbers.size);
    this.numbers.set(at, this.numbers.size);
    this.open.push(at);
    const followers = (this.operations[at]?.followers ?? []).filter((each) => this.inQuestion.has(each));
    this.path.push({ at, followers: followers.values() });
  }

  private follow(from: number, to: number): void {
    const number = this.numbers.get(to);
    if (number === undefined) this.enter(to);
    else this.reaches(from, number);
  }

  private leave(at: number): void {
    this.path.pop();
    const lowest = this.lowest.get(at) ?? 0;
    const from = this.path.at(-1);
    if (from !== undefined) this.reaches(from.at, lowest);
    if (lowest !== this.numbers.get(at)) return;
    const circle = this.open.splice(this.open.lastIndexOf(at));
    // Nothing that comes later is in a circle with these.
    for (const member of circle) this.numbers.set(member, Number.POSITIVE_INFINITY);
    if (circle.length > 1) this.found.push(circle);
  }

  private reaches(at: number, number: number): void {
    this.lowest.set(at, Math.min(this.lowest.get(at) ?? number, number));
  }
}
