import { join } from "node:path";
import { z } from "zod";
import { AgentInfo } from "#core/agent/types.js";
import { duration } from "#core/config/duration.js";
import { errorMessage, SouthboundError } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import type { TransactionResult } from "#core/northbound/index.js";
import { inject, type Plugin, PluginConfig, plugin } from "#core/plugin/index.js";
import { codeOf } from "./errors.js";
import {
  COMPLETE,
  noteRecord,
  readContents,
  resultRecord,
  type StoreContents,
  type StoredResult,
  valueRecord,
} from "./layout.js";
import { type Damage, openOrReadStore } from "./open.js";
import { type PreparedRecords, type RecordEntry, type Records, VolatileRecords } from "./records.js";
import { ResultIndex } from "./results.js";
import { type SourceChanges, Store, type StoreUpdate } from "./types.js";
import { noteRunWithout } from "./witness.js";
import { GroupWriter } from "./writer.js";

const DEFAULT_PARENT = "/var/lib/tenuto";

export const storeConfig = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe("Keep the desired state on disk; false forgets it at the end of the process"),
  directory: z.string().default("").describe(`Where it is kept; ${DEFAULT_PARENT}/<label> when empty`),
  max_results: z.int().positive().default(10_000).describe("How many answers to transactions are remembered"),
  max_result_age: duration.prefault("168h").describe("How long answers to transactions are remembered"),
});
export type StoreConfig = z.infer<typeof storeConfig>;

/**
 * Keeps what was accepted on disk, in LevelDB: every write is one checksummed batch, synchronised before `write` resolves.
 * Everything is read and checked at the start; damage is set aside, reported and repaired as far as it goes.
 */
@plugin({ name: "store", description: "durable copy of the desired state", config: storeConfig, provides: [Store] })
export class StorePlugin implements Plugin, Store {
  private contents: StoreContents = readContents(new Map());
  private records: Records = new VolatileRecords();
  private writer: GroupWriter | undefined;
  private results: ResultIndex;
  private damage: Damage | undefined;
  private behind: string | undefined;
  private unwritable: string | undefined;
  private covers = false;
  private readonly prepared = new WeakMap<SourceChanges["changes"], PreparedRecords>();

  constructor(
    @inject(PluginConfig) private readonly config: StoreConfig,
    @inject(Logger) private readonly log: Logger,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(AgentInfo) private readonly agent: AgentInfo,
  ) {
    this.results = this.indexOf(this.contents);
  }

  get durable(): boolean {
    return this.config.enabled;
  }

  get damaged(): boolean {
    return this.damage !== undefined;
  }

  get incompleteness(): string | undefined {
    if (this.covers) return undefined;
    if (!this.config.enabled) return "the store is switched off";
    if (this.damage !== undefined) return `the store was damaged: ${this.damage.reason}`;
    return this.behind ?? "the store is new";
  }

  get complete(): boolean {
    return this.covers;
  }

  async init(): Promise<void> {
    if (this.config.enabled) await this.open();
    else noteRunWithout(this.directory);
    this.writer = new GroupWriter(this.records, {
      failed: (error, waiting) => {
        this.log.error({ err: error, waiting }, "cannot write the store");
        this.health.degraded(`cannot write ${this.directory}: ${errorMessage(error)}; ${waiting} records wait`);
      },
      recovered: () => {
        this.log.info("the store can be written again");
        this.unwritable = undefined;
        this.reportHealth();
      },
    });
    this.reportHealth();
    if (this.unwritable !== undefined) await this.tryToWrite();
    if (this.behind !== undefined) await this.noteIncomplete();
  }

  loaded(): ReadonlyMap<string, ReadonlyMap<string, object>> {
    return this.contents.values;
  }

  notes(): ReadonlyMap<string, unknown> {
    return this.contents.notes;
  }

  async result(id: string): Promise<TransactionResult | undefined> {
    if (!this.results.has(id)) return undefined;
    const stored = (await this.writer?.read(resultRecord(id))) as StoredResult | undefined;
    return stored?.result;
  }

  unconfirmed(): readonly string[] {
    return this.results.withOutcome("UNCONFIRMED");
  }

  prepare(values: SourceChanges): () => void {
    const { changes } = values;
    const prepared = this.records.prepare(valueRecords(values));
    this.prepared.set(changes, prepared);
    return () => {
      if (this.prepared.delete(changes)) prepared.discard();
    };
  }

  async settled(): Promise<void> {
    await this.writer?.settled();
  }

  async write(update: StoreUpdate): Promise<void> {
    const { values, others = [], result, notes, complete } = update;
    const records = values === undefined ? new Map<string, unknown>() : this.recordsOf(values);
    for (const each of others) for (const [name, value] of valueRecords(each)) records.set(name, value);
    if (result !== undefined)
      for (const [name, stored] of this.results.add(result, Date.now())) records.set(name, stored);
    for (const [name, note] of notes ?? []) records.set(noteRecord(name), note);
    if (complete !== undefined) {
      this.covers = complete;
      records.set(COMPLETE, complete ? true : undefined);
      this.reportHealth();
    }
    if (this.writer === undefined) throw new SouthboundError("STORE_CLOSED", "the store is not open");
    await this.writer.write(records).catch((error: unknown) => {
      throw new SouthboundError(
        codeOf(error) ?? "STORE_UNWRITABLE",
        `cannot write ${this.directory}: ${errorMessage(error)}`,
        {
          cause: error,
        },
      );
    });
  }

  async close(): Promise<void> {
    await this.writer?.close();
    await this.records.close();
    this.writer = undefined;
  }

  private recordsOf(values: SourceChanges): Map<string, unknown> {
    const prepared = this.prepared.get(values.changes);
    this.prepared.delete(values.changes);
    return prepared?.complete() ?? new Map(valueRecords(values));
  }

  private get directory(): string {
    return this.config.directory === ""
      ? join(DEFAULT_PARENT, encodeURIComponent(this.agent.label))
      : this.config.directory;
  }

  private indexOf(contents: StoreContents): ResultIndex {
    return new ResultIndex({ maxCount: this.config.max_results, maxAge: this.config.max_result_age }, contents.results);
  }

  private async open(): Promise<void> {
    const opened = await openOrReadStore(this.directory, [COMPLETE]);
    const { records, contents, damage, behind, unwritable } = opened;
    this.records = records;
    this.contents = readContents(contents);
    this.results = this.indexOf(this.contents);
    this.damage = damage;
    this.behind = behind;
    this.unwritable = unwritable;
    this.covers = this.contents.complete && damage === undefined;
    if (behind !== undefined) this.log.warn({ directory: this.directory }, behind);
    if (unwritable !== undefined) this.log.error({ recovered: contents.size }, unwritable);
    if (damage !== undefined) this.log.error({ ...damage, recovered: contents.size }, "the store was damaged");
  }

  /** A later start must not take it for complete either. */
  private async noteIncomplete(): Promise<void> {
    await this.write({ complete: false }).catch((error: unknown) => {
      this.log.warn({ err: error }, "it could not be stored that the store is not complete");
    });
  }

  /** Has the writer try again until it succeeds. It tells of what goes wrong. */
  private async tryToWrite(): Promise<void> {
    await this.writer?.write(new Map()).catch(() => undefined);
  }

  private reportHealth(): void {
    if (this.unwritable !== undefined) this.health.degraded(this.unwritable);
    else if (this.damage === undefined && (this.behind === undefined || this.covers)) this.health.ok();
    else if (this.damage === undefined) this.health.degraded(`${this.behind} (${this.directory})`);
    else this.health.degraded(`the store was damaged (${this.damage.reason}); it is kept in ${this.damage.setAside}`);
  }
}

function* valueRecords({ source, changes }: SourceChanges): Generator<RecordEntry> {
  for (const [key, value] of changes) yield [valueRecord(source, key), value];
}
