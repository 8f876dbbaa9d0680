import { errorMessage } from "../../errors.js";
import type { Clock } from "../api/clock.js";
import { anyOfName, dependingOn, type Existence, holds, restingOn, support } from "../graph/dependencies.js";
import type { Graph } from "../graph/graph.js";
import { type Node, root } from "../graph/node.js";
import type { Operation } from "../plan/operations.js";
import { type Batch, Batcher } from "./batcher.js";
import { Deadlines } from "./deadlines.js";
import { call, callMany, isRetriable } from "./descriptor-calls.js";
import { NoAnswer, StillNeeded, TooLate, Unanswered } from "./operation-errors.js";

export interface ExecutorOptions {
  readonly clock: Clock;
  /** Operations under way at once. */
  readonly concurrency: number;
  /** How long a descriptor may take for one operation, ms. */
  readonly operationTimeout: number;
  /** Told of answers that came after their time. */
  readonly onLateAnswer: (operation: Operation) => void;
}

export interface Caution {
  /** Is the failure of a value a reason to skip what has not begun? */
  readonly stopsOn?: ((node: Node) => boolean) | undefined;
  /** Something has failed before in this transaction: what could not be removed still needs what it needs. */
  readonly troubled: boolean;
}

/** `skipped`: not called, since what it was planned upon did not come about. */
export type OperationOutcome = "done" | "failed" | "skipped";

export interface Execution {
  /** What became of each operation, by index. */
  readonly outcomes: readonly (OperationOutcome | undefined)[];
  readonly failed: readonly Node[];
  readonly skipped: readonly Node[];
}

/**
 * Runs the operations of a plan: each as soon as those it must follow are finished, up to `concurrency` at once. Writes results
 * into the graph. Never throws for a descriptor's sake: whatever a descriptor throws, returns late or never, becomes the
 * failure of its value, and the rest goes on.
 */
export function execute(
  graph: Graph,
  operations: readonly Operation[],
  transaction: number,
  caution: Caution,
  options: ExecutorOptions,
): Promise<Execution> {
  return new Promise((resolve) => new Run(graph, operations, transaction, caution, options, resolve).start());
}

class Run {
  private readonly outcomes: (OperationOutcome | undefined)[];
  private readonly failed: Node[] = [];
  private readonly skipped: Node[] = [];
  private readonly ready: number[] = [];
  private readonly deadlines: Deadlines;
  private readonly serial = new Map<string, { busy: boolean; readonly queue: number[] }>();
  /** Values whose DELETE is still to come, and those whose DELETE is under way. */
  private readonly leaving = new Set<Node>();
  private readonly deleting = new Set<Node>();
  /** Values of which a failed call may have left anything. */
  private readonly uncertain = new Set<Node>();
  private readonly batcher = new Batcher((batch) => this.invokeMany(batch));
  private next = 0;
  private running = 0;
  private finished = 0;
  private pumping = false;
  private stopped = false;

  constructor(
    private readonly graph: Graph,
    private readonly operations: readonly Operation[],
    private readonly transaction: number,
    private readonly caution: Caution,
    private readonly options: ExecutorOptions,
    private readonly resolve: (execution: Execution) => void,
  ) {
    this.outcomes = new Array<OperationOutcome | undefined>(operations.length);
    this.deadlines = new Deadlines(
      options.clock,
      options.operationTimeout,
      (index) => this.outcomes[index] === undefined,
      (index) => this.expire(index),
    );
  }

  start(): void {
    for (const [index, { blockers, kind, node }] of this.operations.entries()) {
      if (blockers === 0) this.ready.push(index);
      if (kind === "DELETE") this.leaving.add(node);
    }
    this.pump();
  }

  private get troubled(): boolean {
    return this.failed.length > 0 || this.skipped.length > 0;
  }

  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    do {
      while (this.running < this.options.concurrency && this.next < this.ready.length) {
        const index = this.ready[this.next++];
        const operation = index === undefined ? undefined : this.operations[index];
        if (index !== undefined && operation !== undefined) this.admit(index, operation);
      }
    } while (this.batcher.flush());
    this.pumping = false;
    if (this.finished === this.operations.length) {
      this.deadlines.stop();
      this.resolve({ outcomes: this.outcomes, failed: this.failed, skipped: this.skipped });
    }
  }

  /** Starts an operation, or puts it in the queue of its one-at-a-time descriptor. */
  private admit(index: number, operation: Operation): void {
    const descriptor = operation.node.descriptor;
    if (descriptor?.concurrency === "serial") {
      const lane = this.serial.get(descriptor.name) ?? { busy: false, queue: [] };
      this.serial.set(descriptor.name, lane);
      if (lane.busy) {
        lane.queue.push(index);
        return;
      }
      lane.busy = true;
    }
    this.begin(index, operation);
  }

  private begin(index: number, operation: Operation): void {
    const obstacle = this.obstacleTo(operation);
    if (obstacle === "skip") this.skip(index, operation);
    else if (obstacle !== undefined) this.fail(index, operation, obstacle);
    else {
      this.running++;
      if (operation.kind === "DELETE") this.deleting.add(operation.node);
      if (!this.batcher.take(index, operation)) this.invoke(index, operation);
    }
  }

  private invokeMany(batch: Batch): void {
    const { indexes } = batch;
    const operations = indexes.flatMap((index) => this.operations[index] ?? []);
    const settle = (resultOf: (place: number) => PromiseSettledResult<unknown> | undefined): void => {
      for (const [place, operation] of operations.entries()) {
        const index = indexes[place] ?? -1;
        if (!this.isFirstAnswer(index, operation)) continue;
        const result = resultOf(place);
        if (result?.status === "fulfilled") this.succeed(index, operation, result.value);
        else this.fail(index, operation, result === undefined ? new NoAnswer(operation) : result.reason);
      }
      this.pump();
    };
    for (const index of indexes) this.deadlines.add(index);
    callMany(batch, operations).then(
      (results) => settle((place) => results[place]),
      (reason: unknown) => settle(() => ({ status: "rejected", reason })),
    );
  }

  /** Why an operation whose turn has come is not started: it has lost its ground, or would take away that of others. */
  private obstacleTo(operation: Operation): "skip" | Error | undefined {
    const { kind, node } = operation;
    if (this.stopped) return "skip";
    if (node.lateAnswer !== "none") return new Unanswered(operation);
    if (kind !== "DELETE") return !this.troubled || this.dependenciesStillHold(operation) ? undefined : "skip";
    const user = this.troubled || this.caution.troubled ? this.stillNeededBy(node) : undefined;
    return user === undefined ? undefined : new StillNeeded(node.key, user.key);
  }

  private dependenciesStillHold(operation: Operation): boolean {
    const { node } = operation;
    if (node.value !== undefined && node.broken) return false;
    if (node.base !== undefined && !(node.base.managed && node.base.failedIn !== this.transaction)) return false;
    const supports = new Map<string, string>();
    // It may rest on something else than before, but not on what rests on itself.
    const own = node.present ? dependingOn(this.graph, node) : undefined;
    const exists: Existence = (each) => this.dependencyStillHolds(each) && !(each && own?.has(each));
    const stands = node.desiredDependencies.every((each) => {
      if (!("anyOf" in each)) return holds(this.graph, each, node, this.dependencyStillHolds);
      const key = support(this.graph, each, node, exists);
      if (key !== undefined) supports.set(anyOfName(each), key);
      return key !== undefined;
    });
    if (supports.size > 0) operation.supports = supports;
    return stands;
  }

  /** There, not about to go, and not left behind by a failed operation. */
  private readonly dependencyStillHolds: Existence = (node) =>
    node?.present === true &&
    node.failedIn !== this.transaction &&
    node.lateAnswer === "none" &&
    !this.leaving.has(node);

  /** A present value of ours that would lose a dependency (or its base) with this one. */
  private stillNeededBy(node: Node): Node | undefined {
    for (const child of node.derived ?? []) {
      const user = !child.present ? undefined : child.managed ? child : this.stillNeededBy(child);
      if (user !== undefined) return user;
    }
    for (const other of this.graph.dependents.ofKey(node.key)) if (this.loses(other, node)) return other;
    for (const other of this.graph.dependents.ofPrefixes(node.key))
      if (other !== node && this.loses(other, node)) return other;
    return undefined;
  }

  /** Would `other` be left without a dependency? What rests on `other` itself is nothing it could rest on. */
  private loses(other: Node, node: Node): boolean {
    if (!other.present || !other.managed) return false;
    const own = restingOn(this.graph, other);
    const stays: Existence = (each) =>
      each?.present === true &&
      each !== node &&
      !this.deleting.has(each) &&
      !this.uncertain.has(each) &&
      !own.has(each);
    return other.appliedDependencies.some((each) => !holds(this.graph, each, other, stays));
  }

  private invoke(index: number, operation: Operation): void {
    let answer: unknown;
    try {
      answer = call(operation);
    } catch (error) {
      this.running--;
      this.fail(index, operation, error);
      return;
    }
    if (!(answer instanceof Promise)) {
      this.running--;
      this.succeed(index, operation, answer);
      return;
    }
    this.deadlines.add(index);
    answer.then(
      (metadata: unknown) => {
        if (!this.isFirstAnswer(index, operation)) return;
        this.succeed(index, operation, metadata);
        this.pump();
      },
      (error: unknown) => {
        if (!this.isFirstAnswer(index, operation)) return;
        this.fail(index, operation, error);
        this.pump();
      },
    );
  }

  private expire(index: number): void {
    const operation = this.operations[index];
    if (operation === undefined) return;
    operation.node.lateAnswer = "awaited";
    this.running--;
    this.fail(index, operation, new TooLate(operation, this.options.operationTimeout));
    this.pump();
  }

  /** False for an answer that came too late. */
  private isFirstAnswer(index: number, operation: Operation): boolean {
    if (this.outcomes[index] === undefined) {
      this.running--;
      return true;
    }
    operation.node.lateAnswer = root(operation.node).descriptor?.retrieve === undefined ? "none" : "unread";
    this.options.onLateAnswer(operation);
    return false;
  }

  private succeed(index: number, operation: Operation, metadata: unknown): void {
    const { node, kind } = operation;
    node.failure = undefined;
    node.lastOperation = kind;
    if (kind === "DELETE") {
      this.graph.setDeleted(node);
    } else {
      const kept = kind === "UPDATE" && metadata === undefined ? node.metadata : metadata;
      this.graph.setPresent(node, operation.value, operation.managed, kept);
      node.supports = operation.supports;
    }
    this.finish(index, operation, "done");
  }

  private fail(index: number, operation: Operation, error: unknown): void {
    const { node, kind } = operation;
    node.lastOperation = kind;
    node.failedIn = this.transaction;
    node.failure = {
      message: errorMessage(error),
      retriable: isRetriable(operation, error),
      attempts: node.failure?.attempts ?? 0,
      retrying: false,
    };
    this.failed.push(node);
    if (this.caution.stopsOn?.(node)) this.stopped = true;
    if (!(error instanceof StillNeeded)) this.uncertain.add(node);
    this.finish(index, operation, "failed");
  }

  private skip(index: number, operation: Operation): void {
    this.skipped.push(operation.node);
    this.finish(index, operation, "skipped");
  }

  private finish(index: number, operation: Operation, outcome: OperationOutcome): void {
    this.outcomes[index] = outcome;
    this.finished++;
    if (operation.kind === "DELETE") {
      this.leaving.delete(operation.node);
      this.deleting.delete(operation.node);
    }
    for (const follower of operation.followers ?? []) {
      const waiting = this.operations[follower];
      if (waiting !== undefined && --waiting.blockers === 0) this.ready.push(follower);
    }
    const lane = this.serial.get(operation.node.descriptor?.name ?? "");
    if (lane === undefined) return;
    lane.busy = false;
    const next = lane.queue.shift();
    if (next !== undefined) this.ready.push(next);
  }
}
