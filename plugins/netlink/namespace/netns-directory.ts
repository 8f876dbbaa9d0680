import { type BigIntStats, existsSync, lstatSync, readdirSync } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, SouthboundError } from "#core/errors.js";
import { FileError, patiently } from "#core/files/index.js";
import type { NamedEvent } from "../types.js";
import type { WorkerChannel } from "../worker/channel.js";
import { checkCall } from "./failure.js";
import { checkName, describeNamespace, identityOf, namespaceDevice } from "./namespace-file.js";

type Listener = (event: NamedEvent) => void;

/** When it is tried again to watch, after it failed, ms. */
const RETRY_DELAY = 1_000;

/**
 * The directory of named namespaces, kept as ip-netns(8) keeps it: each is a file that a namespace is mounted on. A
 * file without a mount (left over, or just being made) is not a namespace.
 */
export class NetnsDirectory {
  private readonly listeners = new Set<Listener>();
  /** Identities by name. */
  private known: ReadonlyMap<string, string> = new Map();
  private scanning = false;
  private stale = false;
  private closed = false;
  private retry: NodeJS.Timeout | undefined;
  private hasFailed = false;

  constructor(
    private readonly channel: WorkerChannel,
    private readonly directory: string,
    /** Called when watching fails, and without an error when it works again. */
    private readonly onWatch: (error: Error | undefined) => void,
  ) {}

  async create(name: string, alias?: string): Promise<void> {
    const path = join(this.directory, checkName(name));
    const result = await this.channel.call({ kind: "create-named", directory: this.directory, path, alias });
    const what = `create ${describeNamespace({ kind: "named", name })}`;
    checkCall(what, result, "needs CAP_SYS_ADMIN and CAP_NET_ADMIN, and a directory that may be mounted on");
  }

  async delete(name: string): Promise<void> {
    const path = join(this.directory, checkName(name));
    const result = await this.channel.call({ kind: "delete-named", path });
    checkCall(`delete ${describeNamespace({ kind: "named", name })}`, result, "needs CAP_SYS_ADMIN");
  }

  async list(): Promise<readonly string[]> {
    return [...(await this.survey()).keys()].sort();
  }

  /** Identities of those that are there, by name. */
  private async survey(): Promise<ReadonlyMap<string, string>> {
    let names: readonly string[];
    try {
      names = await readdir(this.directory);
    } catch (error) {
      // Made with the first namespace.
      if (isMissing(error)) return new Map();
      const { code } = FileError.from(this.directory, error);
      throw new SouthboundError(code, `list network namespaces: ${errorMessage(error)}`, { cause: error });
    }
    const files = await Promise.all(names.map(async (name) => [name, await this.statOf(name)] as const));
    return this.mounted(files);
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
    clearTimeout(this.retry);
    this.listeners.clear();
  }

  /** The mount table changed. */
  mountsChanged(): void {
    if (this.listeners.size > 0) this.scan();
  }

  private start(): void {
    this.known = this.surveyNow();
    this.begin();
  }

  /** What is mounted before the watch begins is found by the scan. */
  private begin(): void {
    const begin = async () => {
      const result = await this.channel.call({ kind: "watch-mounts" });
      checkCall("watch network namespaces", result, "needs /proc to be mounted");
      this.scan();
    };
    begin().catch((error: Error) => this.failed(error, () => this.begin()));
  }

  private scan(): void {
    if (this.scanning) this.stale = true;
    else void this.tellChanges();
  }

  private async tellChanges(): Promise<void> {
    this.scanning = true;
    do {
      this.stale = false;
      const events = await this.changes().catch((error: Error) => this.failed(error, () => this.scan()));
      if (events !== undefined) this.works();
      for (const event of events ?? []) for (const listener of [...this.listeners]) listener(event);
    } while (this.stale);
    this.scanning = false;
  }

  /** A name that leads to another namespace than before went and came. */
  private async changes(): Promise<readonly NamedEvent[]> {
    const before = this.known;
    const now = await this.survey();
    this.known = now;
    return [...eventsOf(before, now, false), ...eventsOf(now, before, true)];
  }

  private failed(error: Error, again: () => void): undefined {
    if (this.closed) return;
    if (!this.hasFailed) this.onWatch(error);
    this.hasFailed = true;
    clearTimeout(this.retry);
    this.retry = setTimeout(again, RETRY_DELAY).unref();
  }

  private works(): void {
    if (this.hasFailed && !this.closed) this.onWatch(undefined);
    this.hasFailed = false;
  }

  /** As `survey`, with nothing in between: what appears after it is new. Links are not followed here, as they may lead anywhere. */
  private surveyNow(): ReadonlyMap<string, string> {
    if (!existsSync(this.directory)) return new Map();
    const find = (name: string) => lstatSync(join(this.directory, name), { bigint: true, throwIfNoEntry: false });
    return this.mounted(readdirSync(this.directory).map((name) => [name, find(name)]));
  }

  private mounted(files: readonly (readonly [string, BigIntStats | undefined])[]): ReadonlyMap<string, string> {
    const isMounted = (file: BigIntStats | undefined): file is BigIntStats => file?.dev === namespaceDevice();
    return new Map(files.flatMap(([name, file]) => (isMounted(file) ? [[name, identityOf(file)]] : [])));
  }

  private async statOf(name: string): Promise<BigIntStats | undefined> {
    const path = join(this.directory, name);
    try {
      const own = await lstat(path, { bigint: true });
      return own.isSymbolicLink() ? await patiently(path, () => stat(path, { bigint: true })) : own;
    } catch (error) {
      if (isDangling(error)) return undefined;
      throw error;
    }
  }
}

/** Of the names in `these` that lead elsewhere in `those`, or nowhere. */
function eventsOf(
  these: ReadonlyMap<string, string>,
  those: ReadonlyMap<string, string>,
  created: boolean,
): readonly NamedEvent[] {
  return [...these].flatMap(([name, identity]) => (those.get(name) === identity ? [] : [{ name, identity, created }]));
}

function isMissing(error: unknown): boolean {
  return isCode(error, "ENOENT");
}

/** A link that leads to nothing, to itself, or to where nobody answers is no namespace. */
function isDangling(error: unknown): boolean {
  return isCode(error, "ENOENT", "ELOOP", "ENOTDIR", "EACCES", "ETIMEDOUT");
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}
