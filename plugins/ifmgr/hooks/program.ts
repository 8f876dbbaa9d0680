import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export interface ProgramCall {
  /** What it calls itself (argv[0]). A script is told the name of its descriptor instead, by the kernel. */
  readonly name: string;
  /** Of the open file that is executed. */
  readonly fd: number;
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

/** The descriptor of the program in its own process. It stays open: the interpreter of a script opens it once more. */
const PROGRAM_FD = 3;
const ENDING = "the agent is ending";
/** After SIGTERM, ms. */
const GRACE = 2_000;
/** Lines of output beyond that are dropped, and so is what is longer than that in a line. */
const MOST_LINES = 1_000;
const LONGEST_LINE = 4_096;

/**
 * Runs a program to its end, without a shell, in a process group of its own. Returns why it failed, or nothing. One that takes
 * too long is stopped, and its children with it; so they are when the agent dies, however it does.
 */
export async function runProgram(call: ProgramCall): Promise<string | undefined> {
  if (call.signal.aborted) return ENDING;
  const child = spawn(`/proc/self/fd/${PROGRAM_FD}`, call.arguments, {
    argv0: call.name,
    cwd: "/",
    env: call.environment,
    stdio: ["ignore", "pipe", "pipe", call.fd],
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
  const exited = once(child, "exit");
  const guard = child.pid === undefined ? undefined : guardGroup(child.pid);
  const closing = (): void => stop(ENDING);
  const deadline = setTimeout(() => stop(`it was stopped after ${call.timeout} ms`), call.timeout);
  call.signal.addEventListener("abort", closing, { once: true });
  try {
    const [code, signal] = (await exited) as [number | null, NodeJS.Signals | null];
    // Children that it left behind would keep the pipes open.
    signalGroup(child, "SIGKILL");
    await outputs;
    if (stopped !== undefined) return stopped;
    if (code === 0) return undefined;
    return code === null ? `it was ended by ${signal}` : `it ended with status ${code}`;
  } catch (error) {
    return `it could not be started: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    guard?.kill("SIGKILL");
    call.signal.removeEventListener("abort", closing);
    clearTimeout(deadline);
    clearTimeout(end);
  }
}

/**
 * A shell that kills a process group when the agent is gone: its input ends then, also after SIGKILL. It is not of the group
 * itself. Without it (no shell, no descriptors left) the program runs unguarded, which is better than not at all.
 */
function guardGroup(group: number): ChildProcess {
  const guard = spawn("/bin/sh", ["-c", 'read -r _; kill -s KILL -- "-$1"', "tenuto-hook-guard", String(group)], {
    cwd: "/",
    env: {},
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  return guard.on("error", () => undefined);
}

/** Resolves at the end of the output. There is none of a program that could not be started. */
async function follow(stream: Readable | null, output: (line: string) => void): Promise<void> {
  if (stream === null) return;
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
