import { Agent, type AgentOptions } from "#core/agent/index.js";
import { type FlavorItem, flavor } from "#core/flavor/index.js";
import { type Plugin, type PluginClass, plugin } from "#core/plugin/index.js";

/** Log records of an agent, parsed. */
export interface LogLines {
  readonly stream: { write(line: string): void };
  readonly records: readonly Readonly<Record<string, unknown>>[];
}

export function logLines(): LogLines {
  const records: Readonly<Record<string, unknown>>[] = [];
  return { records, stream: { write: (line) => void records.push(JSON.parse(line)) } };
}

/** An agent of the given plugins that reads nothing of this process's environment and logs nowhere unless told. */
export function agentOf(items: readonly FlavorItem[], options: Partial<AgentOptions> = {}): Agent {
  return new Agent({
    flavor: flavor("test", items),
    label: "t1",
    environment: {},
    logStream: logLines().stream,
    ...options,
  });
}

/** A plugin class that writes its steps into a journal (`nats.init`) and then does what `steps` says. */
export function recording(name: string, journal: { push(step: string): unknown }, steps: Plugin = {}): PluginClass {
  @plugin({ name })
  class Recording implements Plugin {
    async init(): Promise<void> {
      journal.push(`${name}.init`);
      await steps.init?.();
    }

    async afterInit(): Promise<void> {
      journal.push(`${name}.afterInit`);
      await steps.afterInit?.();
    }

    async close(): Promise<void> {
      journal.push(`${name}.close`);
      await steps.close?.();
    }
  }
  return Recording;
}

/** What a call threw or rejected with, for several assertions on it. */
export async function thrownBy<E extends Error>(
  type: abstract new (...parameters: never[]) => E,
  call: () => unknown,
): Promise<E> {
  try {
    await call();
  } catch (error) {
    if (error instanceof type) return error;
    throw error;
  }
  throw new Error(`expected ${type.name} to be thrown`);
}
