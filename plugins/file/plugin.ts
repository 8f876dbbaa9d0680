import { resolve } from "node:path";
import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { errorMessage } from "#core/errors.js";
import { FileError } from "#core/files/index.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { type ConfigConsumer, ConfigSource, EventPublisher } from "#core/northbound/index.js";
import { inject, type Plugin, PluginConfig, plugin } from "#core/plugin/index.js";
import { beingWritten } from "./being-written.js";
import { desiredItems } from "./desired.js";
import { PathWatcher } from "./path-watcher.js";
import { type KeysByFile, Provenance, positionOf } from "./provenance.js";
import { type Problem, type ReadFile, readFiles } from "./reader.js";

const MiB = 1024 * 1024;
/** A file that nobody has written to for so long is finished, ms. */
const RECENT = 60_000;

export const fileConfig = z.strictObject({
  path: z.string().default("").describe("A directory of YAML and JSON files, or one file; empty: no files"),
  priority: z.int().default(10).describe("Among sources that set the same key the highest wins"),
  watch: z.boolean().default(true).describe("Apply changes as they are saved; false reads once, at the start"),
  settle: duration.prefault("200ms").describe("How long the files must be quiet before they are read"),
  missing: z
    .enum(["keep", "remove"])
    .default("keep")
    .describe(
      "What becomes of the values of a file that is gone or empty: keep leaves them as they are and degrades the agent, " +
        "remove takes it for a wish",
    ),
  max_bytes: z
    .int()
    .min(1)
    .default(64 * MiB)
    .describe("Most bytes of all files together"),
});
export type FileConfig = z.infer<typeof fileConfig>;

/**
 * Desired state from files, applied as a whole: all files together are one snapshot. When something in any of them is wrong
 * nothing changes: each problem becomes a dead letter that names file, line, key and field, the plugin is degraded,
 * and the last good state stays. What is taken out of a file that is there is removed; what a file said that is gone or empty stays.
 */
@plugin({
  name: "file",
  description: "desired state from a directory of YAML and JSON files",
  config: fileConfig,
  provides: [ConfigSource],
})
export class FilePlugin implements Plugin, ConfigSource {
  readonly name = "file";
  private consumer: ConfigConsumer | undefined;
  private provenance: Provenance | undefined;
  private watcher: PathWatcher | undefined;
  private reading: Promise<void> | undefined;
  private readAgain = false;
  /** The problems that were told last. */
  private told = "";

  constructor(
    @inject(PluginConfig) private readonly config: FileConfig,
    @inject(Logger) private readonly log: Logger,
    @inject(PluginHealthReporter) private readonly health: PluginHealthReporter,
    @inject(ModelRegistry) private readonly registry: ModelRegistry,
    @inject(EventPublisher) private readonly events: EventPublisher,
  ) {}

  get priority(): number {
    return this.config.priority;
  }

  async start(consumer: ConfigConsumer): Promise<void> {
    this.consumer = consumer;
    const path = this.config.path === "" ? "" : resolve(this.config.path);
    this.provenance = new Provenance(consumer.position, () => consumer.heldKeys());
    if (path === "") {
      await this.deliver([], new Map(), consumer);
      this.health.ok();
      return;
    }
    if (this.config.watch) this.watcher = new PathWatcher(path, this.config.settle, () => this.changed(path));
    this.changed(path);
    await this.reading;
  }

  async close(): Promise<void> {
    this.watcher?.close();
    this.consumer = undefined;
    await this.reading;
  }

  /** Reads now, or once more after the reading that is under way. */
  private changed(path: string): void {
    this.readAgain = true;
    this.reading ??= this.readWhileChanging(path).finally(() => {
      this.reading = undefined;
    });
  }

  private async readWhileChanging(path: string): Promise<void> {
    while (this.readAgain && this.consumer !== undefined) {
      this.readAgain = false;
      try {
        await this.watcher?.follow();
        await this.apply(path, this.consumer);
      } catch (error) {
        // Nobody tells when it can be read again.
        this.watcher?.again();
        if (!(error instanceof FileError)) this.log.error({ err: error, path }, "the files cannot be applied");
        this.health.degraded(`what the files said before is kept: cannot read ${errorMessage(error)}`);
      }
    }
  }

  private async apply(path: string, consumer: ConfigConsumer): Promise<void> {
    const read = await readFiles(path, this.config.max_bytes);
    if (!read.ok) {
      if (read.problems.some(({ line }) => line === undefined)) this.watcher?.again();
      this.report(read.problems);
      return;
    }
    const files = read.content;
    const desired = desiredItems(
      files.flatMap(({ documents }) => documents),
      this.registry,
    );
    if (!desired.ok) {
      this.report(desired.problems);
      return;
    }
    const keys = new Map<string, Set<string>>();
    for (const { file, documents } of files) if (documents.length > 0) keys.set(file, new Set());
    for (const { key, file } of desired.content) keys.get(file)?.add(key);
    if (await this.isUnfinished(files, keys)) return;
    this.told = "";
    await this.deliver(desired.content, keys, consumer);
    const silent = files.filter(({ documents }) => documents.length === 0).map(({ file }) => file);
    if (silent.length === 0) this.health.ok();
    else
      this.health.degraded(
        `${silent.join(", ")} says nothing: write "changes: []" if nothing is desired, or remove it`,
      );
  }

  private async deliver(
    items: Parameters<ConfigConsumer["snapshot"]>[0],
    keys: KeysByFile,
    consumer: ConfigConsumer,
  ): Promise<void> {
    const { provenance, config } = this;
    const reading = provenance?.compare(keys, config.missing);
    if (reading === undefined) return;
    const { absence, removed, lost } = reading;
    const result = await consumer.snapshot([...items, ...removed], absence, positionOf(reading));
    provenance?.accept(reading);
    const { outcome, error, seq } = result;
    const values = items.length;
    this.log[seq === 0 ? "debug" : "info"]({ path: config.path, values, lost, outcome, error }, "files applied");
  }

  /**
   * A file that is still being written looks like one that was shortened. What would remove something waits until nobody has a
   * file open for writing any more.
   */
  private async isUnfinished(files: readonly ReadFile[], keys: KeysByFile): Promise<boolean> {
    const isRecent = files.some(({ written }) => written > Date.now() - RECENT);
    if (!isRecent || this.watcher === undefined || this.provenance?.shrinks(keys) !== true) return false;
    const file = await beingWritten(files.map((each) => each.file));
    if (file === undefined) return false;
    this.watcher.again();
    this.health.degraded(`what the files said before is kept: ${file} is being written`);
    return true;
  }

  private report(problems: readonly Problem[]): void {
    const texts = problems.map(textOf);
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    this.health.degraded(`the last good state is kept: ${texts[0] ?? ""}${more}`);
    // Told once, and not with every attempt to read what cannot be read.
    const told = texts.join("\n");
    if (told === this.told) return;
    this.told = told;
    for (const [index, { file, line, key, payload }] of problems.entries()) {
      const origin = line === undefined ? file : `${file}:${line}`;
      const error = texts[index] ?? "";
      this.log.error({ file, line, key }, error);
      this.events.publish({ kind: "deadletter", origin, data: { key, origin, error, payload } });
    }
  }
}

function textOf({ file, line, key, field, message }: Problem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  const named = [key, field].filter((part) => part !== "" && !message.includes(part));
  return [place, ...named, message].join(": ");
}
