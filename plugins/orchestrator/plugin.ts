import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { BugError, errorMessage, InvalidInputError } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { Conditions } from "#core/northbound/conditions.js";
import { DEFAULT_TRANSACTION_LIMITS } from "#core/northbound/incoming.js";
import {
  type Absence,
  ConfigGate,
  ConfigSource,
  type DumpView,
  EventPublisher,
  type HistoryEntry,
  type KeyValue,
  Northbound,
  type OrphanCount,
  type ResyncOptions,
  type StatusFilter,
  type Transaction,
  TransactionEndpoint,
  type TransactionResult,
  type ValueStatus,
} from "#core/northbound/index.js";
import { type All, inject, injectAll, type Plugin, PluginConfig, plugin } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { Store } from "#plugins/store/index.js";
import { absentSources } from "./absent-sources.js";
import { Committer } from "./committer.js";
import { DeferredEvents } from "./deferred-events.js";
import { DesiredState, REQUEST_SOURCE } from "./desired-state.js";
import { CommitterGateContext } from "./gate-context.js";
import { Gates } from "./gates.js";
import { ItemKeys } from "./item-keys.js";
import { Journal, ownCause } from "./journal.js";
import { Numbering } from "./numbering.js";
import { storedMarks } from "./orphan-mark.js";
import { OrphanPolicy } from "./orphan-policy.js";
import { OrphanReport } from "./orphan-report.js";
import { Pruning } from "./pruning.js";
import { Requests } from "./requests.js";
import { outcomeOf, resultOf } from "./results.js";
import { SourceFeed } from "./source-feed.js";
import { StatusEvents } from "./status-events.js";
import { Views } from "./views.js";

export const orchestratorConfig = z.strictObject({
  start_wait: duration
    .prefault("5s")
    .describe("How long the start waits for the first resync and the sources' first values; they go on without it"),
  max_transaction_bytes: z
    .int()
    .positive()
    .default(DEFAULT_TRANSACTION_LIMITS.maxBytes)
    .describe("Largest transaction that endpoints put together from parts, in bytes"),
  max_transaction_changes: z
    .int()
    .positive()
    .default(DEFAULT_TRANSACTION_LIMITS.maxChanges)
    .describe("Most changes of a transaction, whole or in parts"),
});
export type OrchestratorConfig = z.infer<typeof orchestratorConfig>;

/**
 * Merges what every source and every request want into one desired state, hands it to the scheduler, and answers. Once it
 * has started, the host is held in the state of the store; sources that come later add to that.
 */
@plugin({
  name: "orchestrator",
  description: "merges the sources of desired state and answers transactions",
  config: orchestratorConfig,
  provides: [Northbound],
})
export class OrchestratorPlugin implements Plugin, Northbound {
  private readonly desired = new DesiredState();
  private readonly journal = new Journal();
  private readonly numbering: Numbering;
  private readonly gates: Gates;
  private readonly views: Views;
  private readonly deferredEvents: DeferredEvents;
  private readonly committer: Committer;
  private readonly requests: Requests;
  private readonly keys = new Map<string, ItemKeys>();
  private readonly conditions: Conditions<string>;
  private readonly orphanReport: OrphanReport;
  private readonly pruning: Pruning;
  private orphanPolicy: OrphanPolicy | undefined;
  private sourcesNote: ReadonlyMap<string, unknown> = new Map();
  private unwatch: readonly (() => void)[] = [];

  constructor(
    @inject(PluginConfig) private readonly config: OrchestratorConfig,
    @inject(Logger) private readonly log: Logger,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(ModelRegistry) private readonly registry: ModelRegistry,
    @inject(Store) private readonly store: Store,
    @inject(EventPublisher) private readonly events: EventPublisher,
    @injectAll(ConfigSource) private readonly sources: All<ConfigSource>,
    @injectAll(ConfigGate) private readonly configGates: All<ConfigGate>,
    @injectAll(TransactionEndpoint) private readonly endpoints: All<TransactionEndpoint>,
  ) {
    this.gates = new Gates(this.desired, scheduler, events);
    this.numbering = new Numbering(scheduler, store);
    this.deferredEvents = new DeferredEvents(events, store);
    this.conditions = new Conditions(health);
    const { desired, gates, journal, numbering, deferredEvents } = this;
    this.orphanReport = new OrphanReport(desired, scheduler, this.conditions, deferredEvents);
    this.views = new Views(scheduler, journal, gates, this.orphanReport);
    const review = (): void => this.orphanPolicy?.review();
    this.committer = new Committer({
      desired,
      gates,
      scheduler,
      store,
      journal,
      numbering,
      deferredEvents,
      log,
      concluded: review,
    });
    this.pruning = new Pruning(this.committer, desired, scheduler, journal, this.orphanReport);
    const keys = this.keysOf(REQUEST_SOURCE.source);
    const replaced = (): void => this.orphanPolicy?.requestsReplaced();
    const { max_transaction_changes: maxChanges } = config;
    this.requests = new Requests({
      committer: this.committer,
      desired,
      keys,
      registry,
      store,
      log,
      maxChanges,
      replaced,
    });
  }

  init(): void {
    const sources = this.sources.get();
    refuseSameNames(sources);
    this.addSources();
    this.gates.use(this.configGates.get());
    this.orphanPolicy = new OrphanPolicy({
      committer: this.committer,
      scheduler: this.scheduler,
      store: this.store,
      requests: this.requests,
      report: this.orphanReport,
      log: this.log,
      sources: this.sources.get().map(({ name }) => name),
    });
    this.unwatch = [
      this.numbering.begin(),
      new StatusEvents(this.deferredEvents, this.orphanReport).watch(this.scheduler),
    ];
  }

  async afterInit(): Promise<void> {
    this.health.ok();
    await this.takeOverKeys();
    this.orphanReport.review();
    await this.store.write({ notes: this.sourcesNote }).catch((error: unknown) => {
      this.log.warn({ err: error }, "the names of the sources could not be stored");
    });
    await this.requests.resumeUnconfirmed();
    await this.openGates();
    const begun = [this.firstResync(), ...this.sources.get().map((source) => this.startSource(source))];
    for (const endpoint of this.endpoints.get()) await endpoint.serve(this);
    await within(this.config.start_wait, Promise.all(begun));
  }

  async close(): Promise<void> {
    this.requests.close();
    await this.committer.idle();
    for (const end of this.unwatch) end();
    this.deferredEvents.flush();
    await this.store.write({ notes: this.numbering.notes() }).catch((error: unknown) => {
      this.log.warn({ err: error }, "the number of the last transaction could not be stored");
    });
  }

  commit(transaction: Transaction, endpoint: string): Promise<TransactionResult> {
    return this.requests.commit(transaction, endpoint);
  }

  answered(id: string): Promise<TransactionResult | undefined> {
    return this.requests.answered(id);
  }

  confirm(id: string): Promise<TransactionResult> {
    return this.requests.confirm(id);
  }

  cancel(id: string): Promise<TransactionResult> {
    return this.requests.cancel(id);
  }

  get(prefix?: string): readonly KeyValue[] {
    const own = this.own(prefix);
    const found = this.desired.merged(own);
    return own === undefined || found.length > 0 ? found : this.called(own, this.desired.merged());
  }

  async dump(view: DumpView, prefix?: string): Promise<readonly KeyValue[]> {
    return await this.views.dump(view, this.own(prefix));
  }

  async resync({ downstream = false, prune = false, dry_run = false }: ResyncOptions): Promise<TransactionResult> {
    if (dry_run && !prune) {
      const message = "dry_run: is for a prune, which was not asked for";
      throw new InvalidInputError("BAD_ARGUMENT", message, { field: "dry_run" });
    }
    if (dry_run) return await this.pruning.plan();
    const record = downstream
      ? await this.scheduler.resyncDownstream("resync by request")
      : await this.orphanPolicy?.resync();
    if (record === undefined) throw new BugError("NOT_STARTED", "the orchestrator was asked to resync before its init");
    if (prune) return await this.pruning.run(record.error);
    return resultOf(ownCause(record).id, outcomeOf(record), record);
  }

  orphans(): readonly OrphanCount[] {
    return this.orphanReport.counts();
  }

  status(filter: StatusFilter = {}): readonly ValueStatus[] {
    const prefix = this.own(filter.prefix);
    if (prefix === undefined) return this.views.status(filter);
    const found = this.views.status({ ...filter, prefix });
    const { prefix: _prefix, ...rest } = filter;
    return found.length > 0 ? found : this.called(prefix, this.views.status(rest));
  }

  /** Those that a short key may mean which is not the beginning of theirs. */
  private called<T extends { readonly key: string }>(shortKey: string, all: readonly T[]): readonly T[] {
    if (this.registry.forKey(shortKey)?.isShortFor === undefined) return [];
    return all.filter(({ key }) => this.registry.isShortFor(shortKey, key));
  }

  private own(prefix: string | undefined): string | undefined {
    return prefix === undefined ? undefined : this.registry.normalisePrefix(prefix);
  }

  history(seq?: number): readonly HistoryEntry[] {
    return this.views.history(seq);
  }

  private async openGates(): Promise<void> {
    const { committer, desired, gates, scheduler, journal, events } = this;
    for (const gate of this.configGates.get()) {
      await gate.open(
        new CommitterGateContext({ source: gate.name, committer, desired, gates, scheduler, journal, events }),
      );
    }
  }

  private async firstResync(): Promise<void> {
    try {
      await this.orphanPolicy?.firstResync();
    } catch (error) {
      this.log.error({ err: error }, "the first resync failed");
      this.health.failed(`the first resync failed: ${errorMessage(error)}`);
    }
  }

  /** A source that cannot start leaves the others alone. */
  private async startSource(source: ConfigSource): Promise<void> {
    const { name } = source;
    const spoken = (absence: Absence): void => this.orphanPolicy?.sourceSpoke(name, absence);
    const reviewed = (): void => this.orphanPolicy?.review();
    try {
      const { committer, desired, registry, events, store } = this;
      const keys = this.keysOf(name);
      await source.start(
        new SourceFeed({ source: name, committer, desired, keys, registry, events, store, spoken, reviewed }),
      );
    } catch (error) {
      this.log.error({ err: error, source: name }, "a source of desired state cannot start");
      this.conditions.impaired(name, `source ${name} cannot start: ${errorMessage(error)}`);
    }
  }

  private keysOf(source: string): ItemKeys {
    const known = this.keys.get(source) ?? new ItemKeys(source, this.desired, this.registry, this.store);
    this.keys.set(source, known);
    return known;
  }

  /** The version before had shorter keys. */
  private async takeOverKeys(): Promise<void> {
    const sources = [REQUEST_SOURCE.source, ...this.sources.get().map(({ name }) => name)];
    for (const source of new Set([...sources, ...this.store.loaded().keys()])) {
      await this.keysOf(source)
        .takeOver()
        .catch((error: unknown) => this.log.error({ err: error, source }, "keys of an earlier version stay stored"));
    }
  }

  /** Whoever is in the flavor, and those that left it: what they desired stays, and their place. */
  private addSources(): void {
    const { desired, store } = this;
    const present = [{ name: REQUEST_SOURCE.source, priority: REQUEST_SOURCE.priority }, ...this.sources.get()];
    const stored = store.loaded();
    const marks = storedMarks(store.notes());
    for (const { name, priority } of present) desired.addSource(name, priority, stored.get(name), marks.get(name));
    const { absent, notes } = absentSources(store, present);
    for (const { name, priority, values, mark } of absent) {
      this.log.warn({ source: name, values: values.size }, "a source is gone from the flavor, its values stay");
      const all = [...values.keys()].map((key) => [key, marks.get(name)?.get(key) ?? mark] as const);
      desired.addSource(name, priority, values, all);
    }
    this.sourcesNote = notes;
  }
}

/** Names tell the values of sources apart, in the store too. */
function refuseSameNames(sources: readonly ConfigSource[]): void {
  const names = new Set<string>([REQUEST_SOURCE.source]);
  for (const { name } of sources) {
    if (names.has(name) || name.includes("/")) {
      throw new BugError(
        "SOURCE_NAME",
        `a source of desired state is named "${name}"; expected a name of its own, without a slash`,
      );
    }
    names.add(name);
  }
}

/** Waits for work, but not longer than so many milliseconds. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, timeUp]);
  clearTimeout(timer);
}
