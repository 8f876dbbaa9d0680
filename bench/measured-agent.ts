import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import type { Run } from "./benchmark.js";

/** An agent as it runs in real use: a process of its own, its store on disk. */
export interface MeasuredAgent {
  readonly process: AgentProcess;
  /** Memory that the process has now, MiB. */
  residentMiB(): number;
  /** The most that it has had, MiB. */
  peakMiB(): number;
  stop(): Promise<void>;
}

export interface MeasuredAgentOptions {
  readonly label: string;
  readonly flavor: string;
  readonly args?: readonly string[];
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** Where it notes the long turns of its event loop. */
  readonly stalls?: string;
}

/** Starts an agent; its store goes when it is stopped. */
export async function measuredAgent(run: Run, options: MeasuredAgentOptions): Promise<MeasuredAgent> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-bench-"));
  const agent = await agentProcess({
    ...options,
    configuration: { ...options.configuration, store: { directory: join(directory, "store") } },
    env: environment(run, options),
  });
  return {
    process: agent,
    residentMiB: () => memoryOf(agent.pid, "VmRSS"),
    peakMiB: () => memoryOf(agent.pid, "VmHWM"),
    async stop() {
      await agent.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** With profiles, Node leaves one of modules rather than of the bundle. */
function environment({ profiles }: Run, { stalls }: MeasuredAgentOptions): Readonly<Record<string, string>> {
  const imported = (name: string): string => `--import ${new URL(name, import.meta.url).href}`;
  const options = [
    ...(profiles === undefined ? [] : [imported("./profiled.js")]),
    ...(stalls === undefined ? [] : [imported("./stalls.js")]),
  ];
  if (options.length === 0) return {};
  return {
    NODE_OPTIONS: options.join(" "),
    ...(profiles === undefined ? {} : { TENUTO_BENCH_PROFILES: profiles, TENUTO_BUNDLE: "0" }),
    ...(stalls === undefined ? {} : { TENUTO_BENCH_STALLS: stalls }),
  };
}

function memoryOf(pid: number, field: "VmRSS" | "VmHWM"): number {
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}
