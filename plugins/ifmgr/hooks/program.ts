import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export interface ProgramCall {
  readonly path: string;
  readonly arguments: readonly string[];
  /** All of it: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** ms. */
  readonly timeout: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Gets each line of its output. */
  readonly output: (line: string) => void;
}

const ENDING = "the agent is ending";
/** After SIGTERM, ms. */
const GRACE = 2_000;
/** Lines of output beyond that are dropped, and so is what is longer than that in a line. */
const MOST_LINES = 1_000;
const LONGEST_LINE = 4_096;

/**
 * Runs a program to its end, without a shell, in a process group of its own. Returns why it failed, or nothing. One that takes
 * too long is stopped, and its children with it.
 */
export async function runProgram(call: ProgramCall): Promise<string | undefined> {
  if (call.signal.aborted) return ENDING;
  const child = spawn(call.path, call.arguments, {
    cwd: "/",
    env: call.environment,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    shell: false,
  });
  const outputs = Promise.allSettled([follow(child.stdout, call.output), follow(child.stderr, call.output)]);
  let stopped: string | undefined;
  let end: NodeJS.Timeout | undefined;
  const stop = (reason: string): void => {
    stopped ??= reason;
    signalGroup(child, "SIGTERM");
    end ??= setTimeout(() => signalGroup(child, "SIGKILL"), GRACE);
  };
  const closing = (): void => stop(ENDING);
  const deadline = setTimeout(() => stop(`it was stopped after ${call.timeout} ms`), call.timeout);
  call.signal.addEventListener("abort", closing, { once: true });
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    // Children that it left behind would keep the pipes open.
    signalGroup(child, "SIGKILL");
    await outputs;
    if (stopped !== undefined) return stopped;
    if (code === 0) return undefined;
    return code === null ? `it was ended by ${signal}` : `it ended with status ${code}`;
  } catch (error) {
    return `it could not be started: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    call.signal.removeEventListener("abort", closing);
    clearTimeout(deadline);
    clearTimeout(end);
  }
}

/** Resolves at the end of the output. */
async function follow(stream: Readable, output: (line: string) => void): Promise<void> {
  let count = 0;
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    count += 1;
    if (count <= MOST_LINES) output(line.slice(0, LONGEST_LINE));
    if (count === MOST_LINES) output("(more output was dropped)");
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // Nobody of the group is left.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
