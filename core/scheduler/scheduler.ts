import { BugError, errorMessage } from "../errors.js";
import { Slices } from "../slices.js";
import { type Clock, systemClock } from "./api/clock.js";
import type {
  Descriptor,
  Drift,
  DriftPolicy,
  FlagName,
  FlagStatistics,
  GraphSnapshot,
  GraphView,
  KeyedValue,
  MetadataMap,
  RetryPolicy,
  Scheduler,
  SouthboundNotification,
  TransactionRecord,
  TransactionSpec,
  ValueRecord,
  ValueStatusRecord,
} from "./api/scheduler.js";
import { Descriptors } from "./graph/descriptors.js";
import { Graph } from "./graph/graph.js";
import { type Node, root } from "./graph/node.js";
import { DEFAULT_HISTORY, History, type HistoryLimits } from "./observe/history.js";
import { countFlag, takeSnapshot } from "./observe/snapshot.js";
import { isShown, nonexistent, removed, statusOf } from "./observe/status.js";
import { DEFAULT_TIMELINE, Timeline, type TimelineLimits } from "./observe/timeline.js";
import { asked, bases, type DumpedValue, dumpCached, dumpSouthbound } from "./observe/views.js";
import { RequestQueue } from "./queue.js";
import {
  commitRequest,
  downstreamResyncRequest,
  notificationRequest,
  type Request,
  refreshRequest,
  retryRequest,
  revertRequest,
} from "./request.js";
import { DEFAULT_RETRY, Retries, willRetry } from "./retries.js";
import { type Difference, DriftGuard } from "./retrieve/drift.js";
import { RevertTimers, undoing } from "./revert-timers.js";
import { type DesiredChange, type FinishedTransaction, runTransaction } from "./transaction.js";

export interface SchedulerOptions {
  readonly clock?: Clock;
  /** How failed operations are retried unless a transaction says otherwise. */
  readonly retry?: RetryPolicy | false;
  /** Operations under way at once. */
  readonly concurrency?: number;
  /** How long a descriptor may take for one operation or one read, ms. */
  readonly operationTimeout?: number;
  readonly history?: Partial<HistoryLimits>;
  readonly timeline?: Partial<TimelineLimits>;
  /** What to do about drift unless a descriptor or a refresh says otherwise. Default `enforce`. */
  readonly drift?: DriftPolicy;
  /** Told of what a descriptor or watcher did wrong; the scheduler goes on. */
  readonly onProblem?: (message: string, cause?: unknown) => void;
}

/** Makes an empty scheduler. See {@link Scheduler}. */
export function createScheduler(options: SchedulerOptions = {}): Scheduler {
  return new KVScheduler(options);
}

class KVScheduler implements Scheduler {
  private readonly clock: Clock;
  private readonly descriptorList = new Descriptors((message, cause) => this.problem(message, cause));
  private readonly graph = new Graph(this.descriptorList);
  private readonly log: History;
  private readonly past: Timeline;
  private readonly queue = new RequestQueue<FinishedTransaction | undefined>();
  private readonly retries: Retries;
  private readonly confirmations: RevertTimers;
  private readonly driftGuard: DriftGuard;
  private readonly statusListeners = new Set<(statuses: readonly ValueStatusRecord[]) => void>();
  private readonly transactionListeners = new Set<(record: TransactionRecord) => void>();
  private readonly driftListeners = new Set<(drifts: readonly Drift[]) => void>();
  private notifications: SouthboundNotification[] = [];
  private seq = 0;
  private runs = 0;
  private closed = false;

  constructor(private readonly options: SchedulerOptions) {
    const { clock = systemClock, drift = "enforce" } = options;
    this.clock = clock;
    this.log = new History({ ...DEFAULT_HISTORY, ...options.history });
    this.past = new Timeline(this.graph, this.descriptorList, { ...DEFAULT_TIMELINE, ...options.timeline });
    this.retries = new Retries(clock, this.graph, (keys, policy) => this.retry(keys, policy));
    this.confirmations = new RevertTimers(clock, (seq, journal) =>
      this.unattended("revert", this.revert(seq, journal, "not confirmed in time")),
    );
    this.driftGuard = new DriftGuard(
      clock,
      drift,
      (drifts) => this.tell(this.driftListeners, drifts),
      (key) => this.repair([key], "repair of what had drifted"),
    );
  }

  registerDescriptor<V extends object, M>(descriptor: Descriptor<V, M>): void {
    const { prefix } = descriptor;
    const isItsOwn = ({ key }: Node): boolean => key.startsWith(prefix) && (descriptor.selects?.(key) ?? true);
    if ([...this.graph.all()].some(isItsOwn)) {
      throw new BugError(
        "LATE_DESCRIPTOR",
        `descriptor "${descriptor.name}" was registered after the first of its values came`,
      );
    }
    this.descriptorList.register(descriptor);
  }

  continueAfter(seq: number): void {
    this.seq = Math.max(this.seq, seq);
  }

  async commit(spec: TransactionSpec): Promise<TransactionRecord> {
    const job = commitRequest(spec);
    const finished = await this.enqueue(() => job, spec.retry);
    if (finished === undefined) throw new BugError("NO_TRANSACTION", "a transaction came to nothing");
    const { record, journal } = finished;
    if (spec.confirmTimeout !== undefined && !job.simulate && !record.reverted)
      this.confirmations.wait(record.seq, journal, spec.confirmTimeout);
    return record;
  }

  async confirm(seq: number): Promise<TransactionRecord | undefined> {
    return this.confirmations.take(seq) === undefined ? undefined : this.log.select({ seq })[0];
  }

  async cancel(seq: number): Promise<TransactionRecord | undefined> {
    const journal = this.confirmations.take(seq);
    return journal === undefined ? undefined : this.revert(seq, journal, "cancelled");
  }

  async resyncDownstream(description = "downstream resync"): Promise<TransactionRecord> {
    const finished = await this.enqueue(() => downstreamResyncRequest(description));
    if (finished === undefined) throw new BugError("NO_TRANSACTION", "a resync came to nothing");
    return finished.record;
  }

  notify(notifications: readonly SouthboundNotification[]): void {
    const first = this.notifications.length === 0;
    for (const each of notifications) this.notifications.push(each);
    if (!first || this.closed) return;
    const job = (): Request => {
      const taken = this.notifications;
      this.notifications = [];
      return notificationRequest(taken);
    };
    this.unattended("notification", this.enqueue(job));
  }

  async refresh(
    keys: Iterable<string>,
    reason = "refresh",
    policy?: DriftPolicy | "repair",
  ): Promise<TransactionRecord | undefined> {
    const roots = new Set<string>();
    for (const key of keys) {
      const node = this.graph.get(key);
      const base = node && root(node);
      if (base && (policy ?? this.driftGuard.policyFor(base)) !== "ignore") roots.add(base.key);
    }
    if (roots.size === 0) return undefined;
    const ours = policy === "repair";
    const judge = ours ? undefined : (found: readonly Difference[]) => this.driftGuard.judge(found, policy);
    // Urgent: a refresh that waits already would take our own change for drift.
    const finished = await this.enqueue(() => refreshRequest(reason, roots, judge), undefined, ours);
    return finished === undefined || finished.record.executed.length === 0 ? undefined : finished.record;
  }

  status(key: string): ValueStatusRecord {
    const node = this.graph.get(key);
    return node === undefined || !isShown(node) ? nonexistent(key) : statusOf(this.graph, node);
  }

  statuses(prefix = ""): readonly ValueStatusRecord[] {
    return bases(this.graph, prefix).map((node) => statusOf(this.graph, node));
  }

  watchStatus(listener: (statuses: readonly ValueStatusRecord[]) => void): () => void {
    this.statusListeners.add(listener);
    return () => this.statusListeners.delete(listener);
  }

  watchTransactions(listener: (record: TransactionRecord) => void): () => void {
    this.transactionListeners.add(listener);
    return () => this.transactionListeners.delete(listener);
  }

  watchDrift(listener: (drifts: readonly Drift[]) => void): () => void {
    this.driftListeners.add(listener);
    return () => this.driftListeners.delete(listener);
  }

  timeline(key: string): readonly ValueRecord[] {
    return this.past.ofKey(key);
  }

  snapshot(time = this.clock.now()): Promise<GraphSnapshot> {
    return takeSnapshot(this.past, this.descriptorList, time);
  }

  flagStatistics(flag: FlagName, prefixes?: readonly string[]): FlagStatistics {
    return countFlag(this.past, flag, prefixes);
  }

  async dump(view: GraphView, prefix = ""): Promise<readonly DumpedValue[]> {
    if (view === "southbound") return dumpSouthbound(this.graph, this.descriptorList, prefix);
    return dumpCached(this.graph, view, prefix);
  }

  desired(key: string): object | undefined {
    const node = this.graph.get(key);
    return node === undefined ? undefined : (asked(node) ?? node.desired);
  }

  *orphans(): Generator<KeyedValue> {
    for (const { key, desired } of this.graph.orphans.keys()) if (desired !== undefined) yield { key, value: desired };
  }

  get orphanCount(): number {
    return this.graph.orphans.size;
  }

  history(options?: {
    readonly seq?: number;
    readonly since?: number;
    readonly until?: number;
  }): readonly TransactionRecord[] {
    return this.log.select(options);
  }

  metadata<M>(descriptorName: string): MetadataMap<M> | undefined {
    return this.descriptorList.named(descriptorName)?.metadataMap as MetadataMap<M> | undefined;
  }

  descriptors(): readonly { readonly name: string; readonly prefix: string }[] {
    return this.descriptorList.all().map(({ name, prefix }) => ({ name, prefix }));
  }

  async close(): Promise<void> {
    this.closed = true;
    this.retries.cancel();
    this.confirmations.cancel();
    this.driftGuard.cancel();
    await this.queue.abandon(closedError());
  }

  private enqueue(
    job: () => Request | undefined,
    retry?: RetryPolicy | false,
    urgent = false,
  ): Promise<FinishedTransaction | undefined> {
    if (this.closed) return Promise.reject(closedError());
    return this.queue.add(async () => {
      const next = job();
      return next === undefined ? undefined : this.run(next, retry);
    }, urgent);
  }

  private async run(job: Request, retry: RetryPolicy | false | undefined): Promise<FinishedTransaction> {
    const policy = retry ?? this.options.retry ?? DEFAULT_RETRY;
    const seq = job.simulate ? 0 : this.seq + 1;
    const context = {
      graph: this.graph,
      descriptors: this.descriptorList,
      clock: this.clock,
      executor: {
        clock: this.clock,
        concurrency: this.options.concurrency ?? 4_096,
        operationTimeout: this.options.operationTimeout ?? 30_000,
        onLateAnswer: ({ node, kind }: { node: Node; kind: string }) => this.lateAnswer(node, kind),
      },
      willRetry: (node: Node) => willRetry(node, policy),
    };
    const finished = await runTransaction(context, job, seq, ++this.runs);
    if (!job.simulate) await this.conclude(finished, seq, policy);
    return finished;
  }

  /** Ends a transaction: schedules its retries, records it, and calls the watchers. */
  private async conclude(finished: FinishedTransaction, seq: number, policy: RetryPolicy | false): Promise<void> {
    const slices = new Slices();
    const { record, failed, looked } = finished;
    if (policy !== false && !this.closed) this.retries.schedule(failed, policy);
    const silent = record.kind === "notification" && record.executed.length === 0;
    if (!silent) this.seq = seq;
    const changed = await this.past.record(looked, { time: record.stop, transaction: this.seq }, slices);
    if (!silent) {
      this.log.add(record);
      await this.tellInTurns(this.transactionListeners, record, slices);
    }
    if (changed.length > 0 && this.statusListeners.size > 0) await this.tellStatuses(changed, finished, slices);
  }

  private async tellStatuses(
    changed: readonly Node[],
    { record, journal }: FinishedTransaction,
    slices: Slices,
  ): Promise<void> {
    const hasParts = changed.some((node) => node.base !== undefined);
    let next = 0;
    const statuses: ValueStatusRecord[] = [];
    for (const node of hasParts ? new Set(changed.map(root)) : changed) {
      if (slices.isDue) await slices.next();
      // Mostly those that the record has, in the same order. That of a reverted one says what failed instead.
      const recorded = journal[next]?.node === node && !record.reverted ? record.values[next++] : undefined;
      statuses.push(recorded ?? (node.forgotten ? removed(node.key) : statusOf(this.graph, node)));
    }
    await this.tellInTurns(this.statusListeners, statuses, slices);
  }

  private retry(keys: readonly string[], policy: RetryPolicy): void {
    const job = (): Request | undefined => {
      const starts = this.retries.begin(keys);
      return starts.length === 0 ? undefined : retryRequest(starts);
    };
    this.unattended("retry", this.enqueue(job, policy));
  }

  private async revert(seq: number, journal: readonly DesiredChange[], why: string): Promise<TransactionRecord> {
    const description = `transaction ${seq} reverted: ${why}`;
    const finished = await this.enqueue(() => revertRequest(description, undoing(this.graph, journal)));
    if (finished === undefined) throw new BugError("NO_TRANSACTION", "a revert came to nothing");
    return finished.record;
  }

  /** The cache says that it failed, and now it may have happened after all. */
  private lateAnswer(node: Node, kind: string): void {
    this.problem(`${kind} of ${node.key} answered after its time; it is read anew`);
    if (!this.closed) this.repair([root(node).key], "late answer");
  }

  /** Reads base keys and puts right what differs. */
  private repair(keys: readonly string[], description: string): void {
    this.unattended(
      description,
      this.enqueue(() => refreshRequest(description, new Set(keys))),
    );
  }

  /** Nobody waits for the result. A closed scheduler refuses it, which is not an error. */
  private unattended(name: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => this.problem(name, error));
  }

  private tell<T>(listeners: ReadonlySet<(what: T) => void>, what: T): void {
    for (const listener of listeners) this.tellOne(listener, what);
  }

  /** Of what may be large: between two listeners others get a turn. */
  private async tellInTurns<T>(listeners: ReadonlySet<(what: T) => void>, what: T, slices: Slices): Promise<void> {
    for (const listener of listeners) {
      this.tellOne(listener, what);
      if (slices.hasBegun && slices.isOver) await slices.next();
    }
  }

  private tellOne<T>(listener: (what: T) => void, what: T): void {
    try {
      listener(what);
    } catch (error) {
      this.problem("a watcher threw", error);
    }
  }

  private problem(message: string, cause?: unknown): void {
    if (this.closed) return;
    this.options.onProblem?.(cause === undefined ? message : `${message}: ${errorMessage(cause)}`, cause);
  }
}

function closedError(): BugError {
  return new BugError("SCHEDULER_CLOSED", "the scheduler is closed");
}
