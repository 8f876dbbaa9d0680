import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/**
 * Chromium's sandbox is of no use in one that is left with the test, and does not work for root. Its helper processes stay in
 * the process group, and nothing of it talks to anybody else.
 */
const OPTIONS = [
  "--headless",
  "--no-sandbox",
  "--no-zygote",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-breakpad",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-pipe",
];

/** How long it may take to end by itself. */
const STOP_MS = 60_000;

/** How much of what the browser says is kept, in characters. */
const LOG_LIMIT = 8_000;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/**
 * A headless Chromium with one page, driven by the DevTools protocol over a pipe (file descriptors 3 and 4, messages
 * that end in a zero byte). It ends by itself when the pipe does, so that a crashed test leaves no browser behind.
 */
export class Browser {
  /** What the page logged, and the exceptions that it did not catch. */
  readonly complaints: string[] = [];
  private readonly answers = new Map<number, (answer: Answer) => void>();
  /** Settles when no process of the browser is left that holds a pipe to this one. */
  private readonly gone: Promise<void>;
  private isGone = false;
  private next = 1;
  private rest = "";
  private log = "";
  private session: string | undefined;

  private constructor(
    private readonly child: ChildProcess,
    private readonly profile: string,
  ) {
    const [, , stderr, commands, messages] = child.stdio as [null, null, Readable, Writable, Readable];
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.log = (this.log + text).slice(-LOG_LIMIT);
    });
    messages.setEncoding("utf8").on("data", (text: string) => this.read(text));
    // That the browser has ended is told by its exit.
    commands.on("error", () => undefined);
    this.gone = once(child, "close").then(() => this.ended());
  }

  static async start(program: string): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), "tenuto-browser-"));
    const child = spawn(program, [...OPTIONS, `--user-data-dir=${profile}`], {
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      env: { ...process.env, HOME: profile },
      // Debian's program is a shell script that waits for the browser: a group is ended whole.
      detached: true,
    });
    await once(child, "spawn");
    return new Browser(child, profile);
  }

  /** @param script runs before the page's own. */
  async open(url: string, script = ""): Promise<void> {
    const { targetId } = await this.call<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
    const attached = await this.call<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
    this.session = attached.sessionId;
    await Promise.all(
      ["Runtime.enable", "Log.enable", "Page.enable", "Accessibility.enable"].map((method) => this.call(method)),
    );
    await this.call("Page.addScriptToEvaluateOnNewDocument", { source: script });
    await this.call("Page.navigate", { url });
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result } = await this.call<{ result: { value: T } }>("Runtime.evaluate", {
      expression,
      returnByValue: true,
    });
    return result.value;
  }

  /** Roles and names, as a screen reader has them. */
  async accessible(): Promise<readonly { readonly role: string; readonly name: string }[]> {
    const { nodes } = await this.call<{ nodes: readonly AccessibleNode[] }>("Accessibility.getFullAXTree");
    return nodes
      .filter(({ ignored }) => !ignored)
      .map(({ role, name }) => ({ role: role?.value ?? "", name: name?.value ?? "" }));
  }

  /** Ends every process of the browser, and removes its profile. */
  async close(): Promise<void> {
    const insist = setTimeout(() => process.kill(-(this.child.pid as number), "SIGKILL"), STOP_MS);
    await this.call("Browser.close").catch(() => undefined);
    await this.gone;
    clearTimeout(insist);
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  private call<T>(method: string, params: object = {}): Promise<T> {
    const id = this.next++;
    const session = this.session === undefined ? {} : { sessionId: this.session };
    return new Promise((resolve, reject) => {
      this.answers.set(id, ({ result, error }) =>
        error === undefined ? resolve(result as T) : reject(new Error(`${method}: ${error.message}`)),
      );
      if (this.isGone) this.ended();
      else (this.child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    });
  }

  /** Nobody answers any more. */
  private ended(): void {
    this.isGone = true;
    const error = { message: `the browser has ended: ${this.log}` };
    for (const answer of this.answers.values()) answer({ error });
    this.answers.clear();
  }

  private read(text: string): void {
    const messages = (this.rest + text).split("\0");
    this.rest = messages.pop() ?? "";
    for (const message of messages) {
      const answer = JSON.parse(message) as Answer;
      if (answer.id !== undefined) {
        this.answers.get(answer.id)?.(answer);
        this.answers.delete(answer.id);
      } else if (answer.method === "Log.entryAdded" || answer.method === "Runtime.exceptionThrown")
        this.complaints.push(JSON.stringify(answer.params));
    }
  }
}

interface AccessibleNode {
  readonly ignored: boolean;
  readonly role?: { readonly value: string };
  readonly name?: { readonly value: string };
}
