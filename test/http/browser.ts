import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { findProgram } from "#test/support/programs.js";

/** Debian's names for it. */
const PROGRAMS = ["chromium", "chromium-headless-shell", "google-chrome"];

export function browserProgram(): string | undefined {
  return PROGRAMS.map(findProgram).find((path) => path !== undefined);
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/**
 * A headless Chromium with one page, driven by the DevTools protocol over a pipe (file descriptors 3 and 4, messages
 * that end in a zero byte).
 */
export class Browser {
  /** What the page logged, and the exceptions that it did not catch. */
  readonly complaints: string[] = [];
  private readonly answers = new Map<number, (answer: Answer) => void>();
  private next = 1;
  private rest = "";
  private session: string | undefined;

  private constructor(
    private readonly child: ChildProcess,
    private readonly profile: string,
  ) {
    (child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => this.read(text));
  }

  static async start(program: string): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), "tenuto-browser-"));
    const options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
    const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
    const child = spawn(program, [...options, ...quiet, "--remote-debugging-pipe", `--user-data-dir=${profile}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      env: { ...process.env, HOME: profile },
    });
    await once(child, "spawn");
    return new Browser(child, profile);
  }

  async open(url: string): Promise<void> {
    const { targetId } = await this.call<{ targetId: string }>("Target.createTarget", { url: "about:blank" });
    const attached = await this.call<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
    this.session = attached.sessionId;
    await Promise.all(
      ["Runtime.enable", "Log.enable", "Page.enable", "Accessibility.enable"].map((method) => this.call(method)),
    );
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

  async close(): Promise<void> {
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  private call<T>(method: string, params: object = {}): Promise<T> {
    const id = this.next++;
    const session = this.session === undefined ? {} : { sessionId: this.session };
    (this.child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return new Promise((resolve, reject) => {
      this.answers.set(id, ({ result, error }) =>
        error === undefined ? resolve(result as T) : reject(new Error(`${method}: ${error.message}`)),
      );
    });
  }

  private read(text: string): void {
    const messages = (this.rest + text).split("\0");
    this.rest = messages.pop() ?? "";
    for (const message of messages) {
      const answer = JSON.parse(message) as Answer;
      if (answer.id !== undefined) this.answers.get(answer.id)?.(answer);
      else if (answer.method === "Log.entryAdded" || answer.method === "Runtime.exceptionThrown")
        this.complaints.push(JSON.stringify(answer.params));
    }
  }
}

interface AccessibleNode {
  readonly ignored: boolean;
  readonly role?: { readonly value: string };
  readonly name?: { readonly value: string };
}
