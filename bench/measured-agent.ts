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
}

/** Starts an agent; its store goes when it is stopped. */
export async function measuredAgent(run: Run, options: MeasuredAgentOptions): Promise<MeasuredAgent> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-bench-"));
  const agent = await agentProcess({
    ...options,
    configuration: { ...options.configuration, store: { directory: join(directory, "store") } },
    env: run.profiles === undefined ? {} : profiling(run.profiles),
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

/** Environment under which Node leaves a CPU profile, of modules rather than of the bundle. */
function profiling(directory: string): Readonly<Record<string, string>> {
  const module = new URL("./profiled.js", import.meta.url);
  return { NODE_OPTIONS: `--import ${module.href}`, TENUTO_BENCH_PROFILES: directory, TENUTO_BUNDLE: "0" };
}

function memoryOf(pid: number, field: "VmRSS" | "VmHWM"): number {
  const [, kib] = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}
