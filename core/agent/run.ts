import { once } from "node:events";
import { TenutoError } from "../errors.js";
import type { Agent } from "./agent.js";
import { keepMemory } from "./memory.js";

export interface RunOptions {
  /** Ends the run as a signal does. */
  readonly until?: AbortSignal;
}

/** Signals that end a run, with the exit status of a process that does not wait for its end. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** What `setInterval` takes at most, ms. */
const LONGEST_INTERVAL = 2 ** 31 - 1;

/**
 * Runs an agent as the process: starts it, waits for SIGINT, SIGTERM or `until`, and closes it. A second signal ends the
 * process at once. Rejects with what `start()` or `close()` threw. An exception that nobody caught is a bug: it is logged
 * and the process ends with status 1, for a supervisor to restart it.
 */
export async function runAgent(agent: Agent, { until }: RunOptions = {}): Promise<void> {
  const interrupt = new AbortController();
  const end = AbortSignal.any(until === undefined ? [interrupt.signal] : [interrupt.signal, until]);
  // Stops a start that is under way. What goes wrong is seen below, where the same close is awaited.
  end.addEventListener("abort", () => void Promise.allSettled([agent.close()]));
  const release = holdProcess(agent, interrupt, end);
  try {
    if (!end.aborted) await startUnlessClosed(agent);
    if (!end.aborted) await once(end, "abort");
    await agent.close();
  } finally {
    release();
  }
}

/** Listens to signals and uncaught exceptions, and keeps the process alive, until the returned function is called. */
function holdProcess(agent: Agent, interrupt: AbortController, end: AbortSignal): () => void {
  const onSignal = (signal: keyof typeof SIGNALS): void => {
    if (end.aborted) process.exit(SIGNALS[signal]);
    agent.log.info({ signal }, "closing; once more to end at once");
    interrupt.abort();
  };
  const onBug = (error: unknown, origin: string): void => {
    agent.log.fatal({ err: error, origin, version: agent.info.version }, "a bug in tenuto or one of its plugins");
    process.exit(1);
  };
  const letGo = keepMemory();
  // Signal handlers do not keep a process alive, and the plugins need not.
  const alive = setInterval(() => undefined, LONGEST_INTERVAL);
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.on("uncaughtException", onBug);
  return () => {
    clearInterval(alive);
    letGo();
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    process.off("uncaughtException", onBug);
  };
}

async function startUnlessClosed(agent: Agent): Promise<void> {
  try {
    await agent.start();
  } catch (error) {
    // Closed on purpose while it was starting.
    if (!(error instanceof TenutoError && error.code === "AGENT_CLOSED")) throw error;
  }
}
