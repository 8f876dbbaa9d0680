import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

export interface ChildOptions {
  readonly cwd?: string;
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Text for standard input, which is empty when left out. */
  readonly input?: string;
  /** Called with each complete line of output, standard output and error alike. */
  readonly onLine?: (line: string) => void;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How long a child may take to end after SIGTERM before it gets SIGKILL. */
const STOP_MS = 60_000;

/** How much of a child's output is kept, in characters. */
const LOG_LIMIT = 4 * 1024 * 1024;

/**
 * A program that runs beside the test: a broker, an agent. Its output is kept for the message of whatever fails. It dies
 * with the thread that started it (PR_SET_PDEATHSIG, set by setpriv(1)), so that a crashed test leaves no process behind.
 */
export class Child {
  readonly pid: number;
  /** Settles when the child has ended and its output is read. Never rejects. */
  readonly exited: Promise<ChildExit>;
  private exit: ChildExit | undefined;
  private readonly output = { stdout: "", stderr: "", both: "" };
  private readonly watchers = new Set<() => void>();

  private constructor(
    private readonly process: ChildProcessByStdio<Writable, Readable, Readable>,
    pid: number,
    readonly command: readonly string[],
    private readonly onLine: ((line: string) => void) | undefined,
  ) {
    this.pid = pid;
    this.follow("stdout");
    this.follow("stderr");
    this.exited = once(process, "close").then(([code, signal]) => {
      this.exit = { code, signal };
      this.wake();
      return this.exit;
    });
  }

  /** Starts a program. Throws when it cannot be started at all. */
  static async start(command: readonly string[], options: ChildOptions = {}): Promise<Child> {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...command], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: "pipe",
    });
    await once(child, "spawn");
    // A child that ends without reading its input is no error here; its exit status tells.
    child.stdin.on("error", () => undefined).end(options.input);
    return new Child(child, child.pid as number, command, options.onLine);
  }

  /** What the child has written so far, standard output and error as they came; the last part of it when it is very long. */
  get log(): string {
    return this.output.both;
  }

  get stdout(): string {
    return this.output.stdout;
  }

  get stderr(): string {
    return this.output.stderr;
  }

  get running(): boolean {
    return this.exit === undefined;
  }

  /** Waits until the log matches. Rejects, quoting the log, when the child ends or the time (milliseconds) is over. */
  logged(pattern: RegExp, timeout: number): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const deadline = AbortSignal.timeout(timeout);
      const look = (): void => {
        const match = pattern.exec(this.log);
        if (match === null && this.running && !deadline.aborted) return;
        this.watchers.delete(look);
        deadline.removeEventListener("abort", look);
        if (match !== null) resolve(match);
        else reject(this.failure(this.running ? `did not say ${pattern} within ${timeout} ms` : "ended too early"));
      };
      this.watchers.add(look);
      deadline.addEventListener("abort", look);
      look();
    });
  }

  /** An error about this child that quotes the end of its log. */
  failure(what: string): Error {
    const exit = this.exit === undefined ? "" : ` (${JSON.stringify(this.exit)})`;
    return new Error(`${this.command.join(" ")}: ${what}${exit}\n${this.log.slice(-4000)}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Asks the child to end and waits until it has; harmless when it has ended already. */
  async stop(): Promise<ChildExit> {
    const insist = AbortSignal.timeout(STOP_MS);
    insist.addEventListener("abort", () => this.signal("SIGKILL"));
    this.signal("SIGTERM");
    return this.exited;
  }

  /** Ends the child at once, as a crash would. */
  async kill(): Promise<ChildExit> {
    this.signal("SIGKILL");
    return this.exited;
  }

  private follow(name: "stdout" | "stderr"): void {
    let partial = "";
    this.process[name].setEncoding("utf8").on("data", (chunk: string) => {
      for (const kept of [name, "both"] as const) this.output[kept] = (this.output[kept] + chunk).slice(-LOG_LIMIT);
      this.wake();
      if (this.onLine === undefined) return;
      const lines = (partial + chunk).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) this.onLine(line);
    });
  }

  private wake(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}
