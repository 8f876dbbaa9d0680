import { Slices } from "../slices.js";
import type { Clock } from "./api/clock.js";
import { deepEqual } from "./api/equality.js";
import type { RecordedOperation, TransactionRecord, ValueStatusRecord } from "./api/scheduler.js";
import { type Caution, type Execution, type ExecutorOptions, execute } from "./execute/executor.js";
import { type Existence, isPresent } from "./graph/dependencies.js";
import type { Descriptors } from "./graph/descriptors.js";
import type { Graph } from "./graph/graph.js";
import { type Node, type RejectedValue, root, withParts } from "./graph/node.js";
import { describe, expected, summaryOf } from "./observe/operation-records.js";
import { nonexistent, plannedStatusOf, refusalOf, removed, statusOf } from "./observe/status.js";
import type { Operation } from "./plan/operations.js";
import { makePlan, type Plan } from "./plan/planner.js";
import type { Request } from "./request.js";
import { differences, withDependents } from "./retrieve/drift.js";
import { type RetrievalOptions, readSouthbound, readWithDependents } from "./retrieve/retrieval.js";

/** A desired value as it was before a transaction and after. */
export interface DesiredChange {
  readonly node: Node;
  readonly before: object | undefined;
  readonly after: object | undefined;
  readonly rejectedBefore: RejectedValue | undefined;
  readonly orphanedBefore: boolean;
}

export interface FinishedTransaction {
  readonly record: TransactionRecord;
  /** Nodes whose last operation failed. */
  readonly failed: readonly Node[];
  /** Every node that was looked at, for status watchers. */
  readonly looked: readonly Node[];
  readonly journal: readonly DesiredChange[];
}

export interface TransactionContext {
  readonly graph: Graph;
  readonly descriptors: Descriptors;
  readonly clock: Clock;
  readonly executor: ExecutorOptions;
  /** Will a retriable failure be retried? Decides between FAILED and RETRYING in the record. */
  readonly willRetry: (node: Node) => boolean;
}

/** Runs one transaction from its changes to its record. `seq` is 0 for a simulation. */
export async function runTransaction(
  context: TransactionContext,
  job: Request,
  seq: number,
  id: number,
): Promise<FinishedTransaction> {
  return new TransactionRun(context, job, seq, id).run();
}

class TransactionRun {
  private readonly start: number;
  private readonly slices = new Slices();
  private readonly looked: Node[] = [];
  private readonly touched: Node[] = [];
  private readonly journal: DesiredChange[] = [];
  private readonly planned: RecordedOperation[] = [];
  private readonly executed: RecordedOperation[] = [];
  private readonly failed = new Set<Node>();
  /**
   * Base values that had failed before and that this transaction does not change. They are tried again on the way; another failure does not count as this transaction's.
   */
  private readonly previouslyFailed = new Set<Node>();
  private readonly repeatedFailures = new Set<RecordedOperation>();
  private readonly problems: string[] = [];
  /** Base values that are not as desired, and are to be left so. */
  private held: ReadonlySet<Node> = new Set();
  private reverted = false;
  /** Failed values are tried again. Their dependencies may have gone since, so they are checked again. */
  private recheckDependencies: boolean;

  constructor(
    private readonly context: TransactionContext,
    private readonly request: Request,
    private readonly seq: number,
    private readonly id: number,
  ) {
    this.start = context.clock.now();
    this.recheckDependencies = request.kind === "retry";
  }

  async run(): Promise<FinishedTransaction> {
    const { graph } = this.context;
    // What is desired from now on tells descriptors what to look for: an agent that has just started knows nothing else.
    await this.change();
    const changed = this.touched.splice(0);
    if (this.request.read === "everything") await this.readEverything();
    else if (this.request.read !== "nothing") await this.refresh(this.request.read);
    for (const { key, value, metadata } of this.request.notifications) {
      if (this.slices.isDue) await this.slices.next();
      graph.setObtained(graph.node(key), value, metadata, this.touched);
    }
    for (const key of this.request.keys) this.touch(graph.get(key));
    for (const node of changed) this.touched.push(node);
    this.recordInvalid();
    if (this.request.simulate) return await this.simulate();
    const invalid = this.journal.some(({ node }) => isRejected(node));
    if (invalid && (this.request.rejectInvalid || this.request.atomic)) return await this.refuse();
    for (const { node } of this.journal) if (forgetFailures(node)) this.recheckDependencies = true;
    await this.converge();
    if (this.request.atomic && [...this.failed].some(this.isOwnFailure)) await this.revert();
    for (const node of this.failed)
      if (node.failure !== undefined) node.failure.retrying = this.context.willRetry(node);
    const values = await this.statuses();
    this.forgetIdle();
    return this.finish(values);
  }

  private async readEverything(): Promise<void> {
    const { graph, descriptors } = this.context;
    const before = new Map(this.journal.map((each) => [each.node, each.before]));
    const options = { ...this.retrieval(), keepOrphans: this.request.orphans === "keep", before };
    this.problems.push(...(await readSouthbound(graph, descriptors, this.touched, options)));
    if (this.slices.hasBegun && this.slices.isOver) await this.slices.next();
  }

  /** Reads some keys, since they may have changed in the southbound. */
  private async refresh(keys: ReadonlySet<string>): Promise<void> {
    const { graph, descriptors } = this.context;
    const found = new Map<string, object>();
    const options = { ...this.retrieval(), found };
    const { bases, before, problems } = await readWithDependents(graph, descriptors, keys, this.touched, options);
    this.problems.push(...problems);
    const held = this.request.judge?.(differences(bases, before, found)) ?? new Set();
    this.held = withDependents(held, (node) => graph.dependents.of(node.key));
  }

  private retrieval(): RetrievalOptions {
    const { clock, executor } = this.context;
    return { timeout: executor.operationTimeout, clock, keepOrphans: true, slices: this.slices };
  }

  /** Writes the changes into the graph as desired values. */
  private async change(): Promise<void> {
    const { graph } = this.context;
    const { changes, replaceAll, orphans } = this.request;
    if (replaceAll) {
      for (const node of graph.all()) {
        if (node.orphaned && orphans === "keep") {
          node.rejected = undefined;
          continue;
        }
        // A value that nobody wants any more, and that could not be deleted, is deleted again.
        const asked = node.desired !== undefined || node.rejected !== undefined || node.failure !== undefined;
        if (node.base === undefined && asked && !changes.has(node.key)) this.want(node, undefined);
      }
    }
    for (const [key, value] of changes) {
      if (this.slices.isDue) await this.slices.next();
      this.want(graph.node(key), value);
    }
    this.displaceOrphans();
  }

  /** An orphan gives way to a value that is desired and needs what only one can have. */
  private displaceOrphans(): void {
    const { orphanClaims } = this.context.graph;
    if (orphanClaims.size === 0) return;
    for (const { node } of [...this.journal]) {
      if (node.desired === undefined || node.orphaned) continue;
      for (const claim of node.descriptor?.claims?.(node.key, node.desired) ?? []) {
        const holder = orphanClaims.get(claim);
        if (holder !== undefined) this.want(holder, undefined);
      }
    }
  }

  private want(node: Node, desired: object | undefined): void {
    const { desired: before, orphaned } = node;
    this.journal.push({ node, before, after: desired, rejectedBefore: node.rejected, orphanedBefore: orphaned });
    if (
      !orphaned &&
      desired !== undefined &&
      before !== undefined &&
      node.rejected === undefined &&
      deepEqual(before, desired)
    ) {
      this.touch(node);
    } else this.context.graph.setDesired(node, desired, this.touched);
  }

  /** Adds a value and its parts to those that the plan looks at. */
  private touch(node: Node | undefined): void {
    for (const part of withParts(node)) this.touched.push(part);
  }

  private recordInvalid(): void {
    if (!this.touched.some((node) => node.rejected !== undefined)) return;
    for (const node of this.journal.flatMap((each) => withParts(each.node))) {
      if (node.rejected === undefined) continue;
      node.lastOperation = "VALIDATE";
      const { error } = statusOf(this.context.graph, node);
      const record = { ...describe(node, "VALIDATE", "INVALID"), error };
      this.planned.push(record);
      this.executed.push(record);
    }
  }

  private async plan(starts: readonly Node[], id: number, verify = false): Promise<Plan> {
    const { held, slices } = this;
    const plan = await makePlan(this.context.graph, starts, { transaction: id, verify, held, slices });
    for (const node of plan.nodes) this.look(node);
    return plan;
  }

  private look(node: Node): void {
    if (node.lookedIn === this.id) return;
    node.lookedIn = this.id;
    this.looked.push(node);
  }

  private async simulate(): Promise<FinishedTransaction> {
    const { graph } = this.context;
    const plan = await this.plan(this.touched, this.id);
    for (const operation of plan.operations) {
      if (this.slices.isDue) await this.slices.next();
      this.planned.push(expected(operation));
    }
    const inPlan = new Set(plan.nodes);
    const existsAfter: Existence = (node) => node !== undefined && (inPlan.has(node) ? node.exists : isPresent(node));
    const values: ValueStatusRecord[] = [];
    for (const { node } of this.journal) {
      if (this.slices.isDue) await this.slices.next();
      values.push(plannedStatusOf(graph, node, existsAfter));
    }
    await this.undo([]);
    this.forgetIdle();
    return this.finish(values);
  }

  /** Nothing is applied, since a value is invalid. */
  private async refuse(): Promise<FinishedTransaction> {
    const { graph } = this.context;
    const bad = new Map(this.journal.map(({ node }) => [node.key, withoutFailure(node, () => refusalOf(graph, node))]));
    await this.undo([]);
    for (const { node } of this.journal) this.look(node);
    const values = this.journal.map(({ node }) => {
      const status = bad.get(node.key);
      return status?.state === "INVALID" ? status : this.statusNow(node);
    });
    this.forgetIdle();
    return this.finish(values);
  }

  /** Plans and executes until nothing is left to do but what failed. */
  private async converge(): Promise<void> {
    let starts: readonly Node[] = this.touched;
    if (this.held.size > 0) starts = starts.filter((node) => !this.held.has(root(node)));
    for (let round = 0; starts.length > 0; round++) {
      const plan = await this.plan(
        starts,
        this.id,
        round === 0 && (this.request.read !== "nothing" || this.recheckDependencies),
      );
      const caution = { stopsOn: this.request.atomic ? this.isOwnFailure : undefined, troubled: round > 0 };
      const { failed, skipped } = await this.execute(plan, this.id, caution, round === 0 ? this.planned : []);
      const touchedBefore = this.touched.length;
      await this.readFailed(failed);
      if (this.request.atomic && failed.some(this.isOwnFailure)) return;
      starts = [...failed, ...skipped, ...this.touched.slice(touchedBefore)];
    }
  }

  /** The southbound state after a failed operation is unknown, so it is read. */
  private async readFailed(failed: readonly Node[]): Promise<void> {
    if (failed.length === 0) return;
    const { graph, descriptors } = this.context;
    const options = { ...this.retrieval(), only: new Set(failed.map((node) => root(node).key)) };
    this.problems.push(...(await readSouthbound(graph, descriptors, this.touched, options)));
  }

  /** Executes a plan; `planned` gets what each operation is expected to do. */
  private async execute(plan: Plan, id: number, caution: Caution, planned: RecordedOperation[]): Promise<Execution> {
    const { graph, executor } = this.context;
    for (const node of plan.supported) {
      if (node.putOperation === -1 && node.notedSupports !== undefined) node.supports = node.notedSupports;
    }
    this.notePreviouslyFailed(plan);
    for (const node of plan.adopted) adopt(graph, node);
    for (const node of plan.nodes) {
      if (node.failedIn !== id && (isAsDesired(node) || isWaiting(node))) node.failure = undefined;
    }
    const running = execute(graph, plan.operations, id, caution, executor);
    // Only now: the southbound is at work.
    const records = plan.operations.map(expected);
    for (const record of records) planned.push(record);
    const execution = await running;
    await this.recordOutcomes(plan, records, execution);
    for (const node of execution.failed) this.failed.add(node);
    return execution;
  }

  private async recordOutcomes(plan: Plan, records: readonly RecordedOperation[], execution: Execution): Promise<void> {
    for (const [index, record] of records.entries()) {
      if (this.slices.isDue) await this.slices.next();
      const operation = plan.operations[index];
      const outcome = execution.outcomes[index];
      if (outcome === "done") this.executed.push(record);
      else if (outcome === "failed" && operation !== undefined) {
        const failure = this.failure(operation);
        this.executed.push(failure);
        if (!this.isOwnFailure(operation.node)) this.repeatedFailures.add(failure);
      }
    }
  }

  /** Failures of the values that the transaction changes have been cleared before this. */
  private notePreviouslyFailed({ operations }: Plan): void {
    if (this.journal.length === 0) return;
    for (const { node } of operations) if (node.failure !== undefined) this.previouslyFailed.add(root(node));
  }

  /** Is its failure one of this transaction's, and not one that was there before? */
  private readonly isOwnFailure = (node: Node): boolean =>
    this.previouslyFailed.size === 0 || !this.previouslyFailed.has(root(node));

  private failure(operation: Operation): RecordedOperation {
    const { node } = operation;
    const isUndone = this.request.atomic && this.isOwnFailure(node);
    const state = this.context.willRetry(node) && !isUndone ? "RETRYING" : "FAILED";
    return { ...describe(node, operation.kind, state, operation.recreate), error: node.failure?.message ?? "" };
  }

  /** Undoes an atomic transaction, as far as the southbound lets us. */
  private async revert(): Promise<void> {
    this.reverted = true;
    const failures = new Map([...this.failed].map((node) => [node, node.failure]));
    const undone: Node[] = [...this.touched, ...this.looked];
    await this.undo(undone);
    for (const node of this.failed) node.failure = undefined;
    const revertId = -this.id;
    const plan = await this.plan(undone, revertId, this.recheckDependencies);
    const { failed } = await this.execute(plan, revertId, { troubled: false }, []);
    await this.readFailed(failed);
    this.failuresOfReverted = failures;
  }

  private failuresOfReverted: ReadonlyMap<Node, Node["failure"]> = new Map();

  private async undo(touched: Node[]): Promise<void> {
    const { graph } = this.context;
    for (const { node, before, rejectedBefore, orphanedBefore } of [...this.journal].reverse()) {
      if (this.slices.isDue) await this.slices.next();
      if (orphanedBefore && before !== undefined) graph.setOrphan(node, before, touched);
      else graph.setDesired(node, before, touched);
      node.rejected = rejectedBefore;
    }
  }

  private async statuses(): Promise<readonly ValueStatusRecord[]> {
    const statuses: ValueStatusRecord[] = [];
    for (const change of this.journal) {
      if (this.slices.isDue) await this.slices.next();
      statuses.push(this.statusAfter(change));
    }
    return statuses;
  }

  private statusAfter({ node, after }: DesiredChange): ValueStatusRecord {
    const failure = this.failuresOfReverted.get(node);
    const now = this.statusNow(node);
    if (failure !== undefined) return { ...now, state: "FAILED", error: failure.message };
    return after === undefined && now.state === "NONEXISTENT" ? removed(node.key) : now;
  }

  private statusNow(node: Node): ValueStatusRecord {
    return node.idle ? nonexistent(node.key) : statusOf(this.context.graph, node);
  }

  private forgetIdle(): void {
    const { graph } = this.context;
    for (const nodes of graph.orphans.size === 0 ? [] : [this.looked, [...this.touched]]) {
      for (const node of nodes) if (isOrphanGone(graph, node)) graph.setDesired(node, undefined, this.touched);
    }
    for (const node of this.looked) if (node.idle) graph.forget(node);
    for (const node of this.touched) if (node.idle) graph.forget(node);
  }

  private ownOperations(): readonly RecordedOperation[] {
    return this.repeatedFailures.size === 0
      ? this.executed
      : this.executed.filter((each) => !this.repeatedFailures.has(each));
  }

  private finish(values: readonly ValueStatusRecord[]): FinishedTransaction {
    const { kind, description, simulate } = this.request;
    const record: TransactionRecord = {
      seq: this.seq,
      kind,
      description,
      start: this.start,
      stop: this.context.clock.now(),
      planned: this.planned,
      executed: simulate ? [] : this.executed,
      values,
      reverted: this.reverted,
      error: summaryOf(this.problems, this.ownOperations()),
    };
    for (const node of this.touched) this.look(node);
    const failed = [...this.failed].filter((node) => node.failure !== undefined);
    return { record, failed, looked: this.looked, journal: this.journal };
  }
}

/** Is the value itself invalid, or a part of it? */
function isRejected(node: Node): boolean {
  if (node.rejected !== undefined) return true;
  for (const child of node.derived ?? []) if (isRejected(child)) return true;
  return false;
}

/** An orphan that was removed with its dependency, which nobody asks for: nothing can bring it back. */
function isOrphanGone(graph: Graph, { orphaned, present, failure, desiredDependencies }: Node): boolean {
  if (!orphaned || present || failure !== undefined) return false;
  return !desiredDependencies.every((each) => "key" in each && graph.get(each.key)?.desired !== undefined);
}

/** Returns whether there were any. */
function forgetFailures(node: Node): boolean {
  let forgotten = node.failure !== undefined;
  node.failure = undefined;
  for (const child of node.derived ?? []) if (forgetFailures(child)) forgotten = true;
  return forgotten;
}

/** Calls `say` as if the node's last operation had not failed. */
function withoutFailure<T>(node: Node, say: () => T): T {
  const { failure } = node;
  node.failure = undefined;
  const said = say();
  node.failure = failure;
  return said;
}

function adopt(graph: Graph, node: Node): void {
  if (node.desired !== undefined) graph.setPresent(node, node.desired, true, node.metadata);
  else graph.showObtained(node);
}

/** A dependency is missing: an earlier failure says nothing any more. */
function isWaiting(node: Node): boolean {
  return node.eligible && !node.present && !node.granted;
}

/** What is in the southbound is what is desired. */
function isAsDesired(node: Node): boolean {
  return node.desired === undefined ? !node.managed : node.eligible && node.value === node.desired && node.managed;
}
