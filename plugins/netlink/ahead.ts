import { Worker } from "node:worker_threads";
import type { WorkerOptions } from "./worker/protocol.js";

/** Another entry point than the plugin's own: for tests that put faults between the thread and the kernel. */
export interface ThreadEntry {
  readonly entry: URL;
  /** `workerData` of the thread. */
  readonly data: unknown;
}

/** A thread that nobody has taken yet. */
let ahead: Worker | undefined;

/**
 * Starts the netlink thread before anything else of this plugin is loaded: it comes up on another processor while this one reads the
 * agent's modules, of which it would otherwise wait for the end. The first client of the process takes it.
 */
export function startThreadAhead(instead?: ThreadEntry): void {
  const thread = newThread(instead);
  // One that fails is none: the client starts another, and tells of that one's failure.
  const forget = (): void => {
    if (ahead === thread) ahead = undefined;
  };
  thread.once("error", forget).once("exit", forget);
  ahead = thread;
}

/** Ends the thread that was started ahead, when no client of this process will take it. */
export async function endThreadAhead(): Promise<void> {
  const thread = ahead;
  ahead = undefined;
  await thread?.terminate();
}

/** A thread that carries out what it is sent, unreferenced: it does not keep the process alive. */
export function takeThread(options: WorkerOptions): Worker {
  const thread = ahead ?? newThread();
  ahead = undefined;
  thread.postMessage(options);
  return thread;
}

function newThread(instead?: ThreadEntry): Worker {
  const thread = new Worker(instead?.entry ?? new URL("./worker/main.js", import.meta.url), {
    name: "netlink",
    workerData: instead?.data,
    // Without the process's own flags: `--inspect` or `--require` are not for this thread.
    execArgv: [],
    // The worker closes descriptors that this thread opened.
    trackUnmanagedFds: false,
  });
  thread.unref();
  return thread;
}
