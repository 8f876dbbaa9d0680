import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import { Health } from "#core/health/types.js";
import {
  type Change,
  type ConfigConsumer,
  ConfigSource,
  type EventEnvelope,
  Northbound,
  type SourceItem,
  type Transaction,
  type TransactionResult,
} from "#core/northbound/index.js";
import { type Plugin, type PluginClass, plugin, provide } from "#core/plugin/index.js";
import { MemoryBus, MemoryPlugin } from "#plugins/memory/index.js";
import { OrchestratorPlugin } from "#plugins/orchestrator/index.js";
import { StorePlugin } from "#plugins/store/index.js";
import type { Interface } from "#proto/index.js";
import { PREFIX, Southbound, southboundPlugin } from "./southbound.js";

/** A directory that is gone after the test. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), "tenuto-test-"));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A source of desired state that says what the test says. */
export class ScriptedSource implements ConfigSource {
  private consumer: ConfigConsumer | undefined;

  constructor(
    readonly name: string,
    readonly priority: number,
  ) {}

  start(consumer: ConfigConsumer): void {
    this.consumer = consumer;
  }

  snapshot(...items: readonly SourceItem[]): Promise<TransactionResult> {
    return this.started().snapshot(items, { kind: "complete" });
  }

  /** What it has, and it cannot tell why it has no more. */
  lossy(...items: readonly SourceItem[]): Promise<TransactionResult> {
    return this.started().snapshot(items, { kind: "unknown", reason: `${this.name} is younger than before` });
  }

  /** What it has, and it has missed nothing. */
  continuous(...items: readonly SourceItem[]): Promise<TransactionResult> {
    return this.started().snapshot(items, { kind: "continuous" });
  }

  change(...items: readonly SourceItem[]): Promise<TransactionResult> {
    return this.started().change(items);
  }

  stop(): void {
    this.consumer = undefined;
  }

  private started(): ConfigConsumer {
    if (this.consumer === undefined) throw new Error(`source ${this.name} was not started`);
    return this.consumer;
  }
}

function sourcePlugin(source: ScriptedSource): PluginClass {
  @plugin({ name: `source-${source.name}`, provides: [provide(ConfigSource, (_: SourcePlugin) => source)] })
  class SourcePlugin implements Plugin {
    close(): void {
      source.stop();
    }
  }
  return SourcePlugin;
}

export interface TestAgentOptions {
  readonly southbound?: Southbound;
  readonly sources?: readonly ScriptedSource[];
  /** Directory of the store; switched off when left out. */
  readonly store?: string;
  readonly configuration?: Readonly<Record<string, unknown>>;
  readonly plugins?: readonly PluginClass[];
}

export interface TestAgent {
  readonly agent: Agent;
  readonly southbound: Southbound;
  readonly northbound: Northbound;
  /** Every event so far. */
  readonly events: readonly EventEnvelope[];
  readonly commit: (transaction: Transaction) => Promise<TransactionResult>;
}

/** An agent whose southbound is a {@link Southbound}. Closed after the test. */
export async function startAgent(t: ExecutionContext, options: TestAgentOptions = {}): Promise<TestAgent> {
  const { southbound = new Southbound(), sources = [], store, plugins = [] } = options;
  const agent = new Agent({
    flavor: flavor("test", [
      StorePlugin,
      OrchestratorPlugin,
      southboundPlugin(southbound),
      MemoryPlugin,
      ...sources.map(sourcePlugin),
      ...plugins,
    ]),
    label: "t1",
    environment: {},
    configuration: {
      log: { level: "silent" },
      store: store === undefined ? { enabled: false } : { directory: store },
      ...options.configuration,
    },
  });
  t.teardown(() => agent.close());
  await agent.start();
  const bus = agent.get(MemoryBus);
  const events: EventEnvelope[] = [];
  bus.subscribe((envelope) => events.push(envelope));
  return {
    agent,
    southbound,
    northbound: agent.get(Northbound),
    events,
    commit: (transaction) => bus.commit(transaction),
  };
}

export function key(name: string): string {
  return PREFIX + name;
}

export function set(name: string, fields: Interface = {}): Change {
  return { key: key(name), value: { name, type: "DUMMY", ...fields } };
}

export function remove(name: string): Change {
  return { key: key(name), delete: true };
}

export function item(name: string, fields: Interface = {}): SourceItem {
  return { key: key(name), value: { name, type: "DUMMY", ...fields } };
}

/** Why the orchestrator is not well; empty when it is. */
export function healthOf(agent: Agent): string {
  const own = agent
    .get(Health)
    .plugins()
    .find(({ plugin: name }) => name === "orchestrator");
  return own?.reason ?? "unknown";
}
