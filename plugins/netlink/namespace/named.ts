import { existsSync, readdirSync, statSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, SouthboundError } from "#core/errors.js";
import type { WorkerChannel } from "../worker/channel.js";
import { checkCall } from "./failure.js";
import { checkName, describeNamespace } from "./registry.js";

export interface NamedEvent {
  readonly name: string;
  readonly created: boolean;
}

type Listener = (event: NamedEvent) => void;

/**
 * The directory of named namespaces, kept as ip-netns(8) keeps it: each is a file that a namespace is mounted on. A
 * file without a mount (left over, or just being made) is not a namespace.
 */
export class NamedNamespaces {
  private readonly listeners = new Set<Listener>();
  private readonly namespaceDevice = statSync("/proc/self/ns/net").dev;
  private known = new Set<string>();
  private scanning = false;
  private stale = false;
  private closed = false;

  constructor(
    private readonly channel: WorkerChannel,
    private readonly directory: string,
    private readonly onError: (error: Error) => void,
  ) {}

  async create(name: string): Promise<void> {
    const path = join(this.directory, checkName(name));
    const result = await this.channel.call({ kind: "create-named", directory: this.directory, path });
    const what = `create ${describeNamespace({ kind: "named", name })}`;
    checkCall(what, result, "needs CAP_SYS_ADMIN and CAP_NET_ADMIN, and a directory that may be mounted on");
  }

  async delete(name: string): Promise<void> {
    const path = join(this.directory, checkName(name));
    const result = await this.channel.call({ kind: "delete-named", path });
    checkCall(`delete ${describeNamespace({ kind: "named", name })}`, result, "needs CAP_SYS_ADMIN");
  }

  async list(): Promise<readonly string[]> {
    let names: readonly string[];
    try {
      names = await readdir(this.directory);
    } catch (error) {
      // Made with the first namespace.
      if (isMissing(error)) return [];
      throw new SouthboundError("ENOENT", `list network namespaces: ${errorMessage(error)}`, { cause: error });
    }
    const mounted = await Promise.all(names.map((name) => this.isNamespace(name)));
    return names.filter((_, i) => mounted[i]).sort();
  }

  /** Those that are there when the watch begins are not reported. */
  watch(listener: Listener): () => void {
    this.listeners.add(listener);
    if (this.listeners.size === 1) this.start();
    return () => this.listeners.delete(listener);
  }

  /** Nobody is told anything any more. */
  close(): void {
    this.closed = true;
    this.listeners.clear();
  }

  /** The mount table changed. */
  mountsChanged(): void {
    if (this.listeners.size > 0) this.scan();
  }

  private start(): void {
    this.known = new Set(this.listNow());
    // What is mounted before the watch begins is found by this scan.
    const begin = async () => {
      const result = await this.channel.call({ kind: "watch-mounts" });
      checkCall("watch network namespaces", result, "needs /proc to be mounted");
      this.scan();
    };
    begin().catch((error: Error) => this.failed(error));
  }

  private scan(): void {
    if (this.scanning) this.stale = true;
    else void this.tellChanges();
  }

  private async tellChanges(): Promise<void> {
    this.scanning = true;
    do {
      this.stale = false;
      const events = await this.changes().catch((error: Error) => this.failed(error));
      for (const event of events ?? []) for (const listener of [...this.listeners]) listener(event);
    } while (this.stale);
    this.scanning = false;
  }

  private async changes(): Promise<readonly NamedEvent[]> {
    const before = this.known;
    const now = new Set(await this.list());
    this.known = now;
    return [
      ...[...before].filter((name) => !now.has(name)).map((name) => ({ name, created: false })),
      ...[...now].filter((name) => !before.has(name)).map((name) => ({ name, created: true })),
    ];
  }

  private failed(error: Error): void {
    if (!this.closed) this.onError(error);
  }

  /** As `list`, with nothing in between: what appears after it is new. */
  private listNow(): readonly string[] {
    if (!existsSync(this.directory)) return [];
    return readdirSync(this.directory).filter((name) => {
      const found = statSync(join(this.directory, name), { throwIfNoEntry: false });
      return found?.dev === this.namespaceDevice;
    });
  }

  private async isNamespace(name: string): Promise<boolean> {
    try {
      return (await stat(join(this.directory, name))).dev === this.namespaceDevice;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
