import { resolve } from "node:path";
import { z } from "zod";
import { duration } from "#core/config/duration.js";
import { errorMessage } from "#core/errors.js";
import { PluginHealthReporter } from "#core/health/types.js";
import { Logger } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import { type ConfigConsumer, ConfigSource, EventPublisher, type SourceItem } from "#core/northbound/index.js";
import { inject, type Plugin, PluginConfig, plugin } from "#core/plugin/index.js";
import { desiredItems } from "./desired.js";
import { PathWatcher } from "./path-watcher.js";
import { type Problem, type ReadResult, readDocuments } from "./reader.js";

export const fileConfig = z.strictObject({
  path: z.string().default("").describe("A directory of YAML and JSON files, or one file; empty: no files"),
  priority: z.int().default(10).describe("Among sources that set the same key the highest wins"),
  watch: z.boolean().default(true).describe("Apply changes as they are saved; false reads once, at the start"),
  settle: duration.prefault("200ms").describe("How long the files must be quiet before they are read"),
});
export type FileConfig = z.infer<typeof fileConfig>;

/**
 * Desired state from files, applied as a whole: all files together are one snapshot. When something in any of them is wrong
 * nothing changes: each problem becomes a dead letter that names file, line, key and field, the plugin is degraded,
 * and the last good state stays.
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
  private watcher: PathWatcher | undefined;
  private reading: Promise<void> | undefined;
  private readAgain = false;

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
    if (this.config.path === "") {
      await consumer.snapshot([], { kind: "complete" });
      this.health.ok();
      return;
    }
    const path = resolve(this.config.path);
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
        await this.apply(path, this.consumer);
      } catch (error) {
        this.log.error({ err: error, path }, "the files cannot be applied");
        this.health.degraded(`cannot apply ${path}: ${errorMessage(error)}`);
      }
    }
  }

  private async apply(path: string, consumer: ConfigConsumer): Promise<void> {
    this.watcher?.follow();
    const read = this.read(path);
    if (!read.ok) {
      this.report(read.problems);
      return;
    }
    const { outcome, error, seq } = await consumer.snapshot(read.content, { kind: "complete" });
    this.log[seq === 0 ? "debug" : "info"]({ path, values: read.content.length, outcome, error }, "files applied");
    this.health.ok();
  }

  private read(path: string): ReadResult<readonly SourceItem[]> {
    const documents = readDocuments(path);
    return documents.ok ? desiredItems(documents.content, this.registry) : documents;
  }

  private report(problems: readonly Problem[]): void {
    const texts = problems.map(textOf);
    for (const [index, { file, line, key, payload }] of problems.entries()) {
      const origin = line === undefined ? file : `${file}:${line}`;
      const error = texts[index] ?? "";
      this.log.error({ file, line, key }, error);
      this.events.publish({ kind: "deadletter", origin, data: { key, origin, error, payload } });
    }
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    this.health.degraded(`the last good state is kept: ${texts[0] ?? ""}${more}`);
  }
}

function textOf({ file, line, key, field, message }: Problem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  const named = [key, field].filter((part) => part !== "" && !message.includes(part));
  return [place, ...named, message].join(": ");
}
