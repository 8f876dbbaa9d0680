import { type FSWatcher, type Stats, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { FileError, patiently } from "#core/files/index.js";
import { isConfigurationFile } from "./reader.js";

/** How often a path that is not there, or cannot be read, is tried again, ms. */
const RETRY_DELAY = 1000;
/** A volume that is mounted or unmounted, and a link above the path that is set anew, make no event: so often it is looked for them, ms. */
const LOOK_INTERVAL = 2000;
/** A path that changes all the time is read nevertheless, after so many settle times. */
const MAX_SETTLES = 10;
/** A Kubernetes volume changes all its files at once by replacing the symbolic link `..data`. */
const SYMLINK_SWAP = "..";

/**
 * Tells of changes under a path, once it has been quiet for a while: an editor writes, renames and deletes to save one
 * file. For a file its directory is watched, since saving often replaces it. A path that is missing, or whose directory
 * is replaced by another, is found again.
 */
export class PathWatcher {
  private watcher: FSWatcher | undefined;
  /** Device and inode of what is watched. */
  private identity = "";
  private timer: NodeJS.Timeout | undefined;
  private look: NodeJS.Timeout | undefined;
  private looking = false;
  private firstEvent: number | undefined;
  private closed = false;

  /** `settle` in ms. */
  constructor(
    private readonly path: string,
    private readonly settle: number,
    private readonly changed: () => void,
  ) {}

  /**
   * Begins to watch, or makes sure that what is watched is still what the path names. Call it before every reading. Rejects when it cannot
   * watch: for want of descriptors, or because the file system does not answer.
   */
  async follow(): Promise<void> {
    const directory = await patiently(this.path, () => watchable(this.path));
    if (this.closed) return;
    if (directory === undefined) {
      this.stop();
      this.schedule(RETRY_DELAY);
    } else if (directory.identity !== this.identity) {
      this.stop();
      this.watcher = this.watching(directory.path);
      this.identity = directory.identity;
      this.watcher.on("error", () => this.noticed());
      this.look = setInterval(() => void this.compare(), LOOK_INTERVAL).unref();
    }
  }

  /** Tells of a change in a while, though nobody may have made any. */
  again(): void {
    if (!this.closed) this.schedule(RETRY_DELAY);
  }

  close(): void {
    this.closed = true;
    this.stop();
    clearTimeout(this.timer);
  }

  private watching(path: string): FSWatcher {
    try {
      return watch(path, (_, name) => {
        if (name === null || this.concerns(name)) this.noticed();
      });
    } catch (error) {
      throw FileError.from(path, error);
    }
  }

  /** Does the path still name what is watched? */
  private async compare(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    const { identity } = this;
    // What goes wrong with it is told by the reading that follows.
    const found = await patiently(this.path, () => watchable(this.path)).catch(() => undefined);
    this.looking = false;
    if (identity !== "" && identity === this.identity && found?.identity !== identity) this.noticed();
  }

  private stop(): void {
    clearInterval(this.look);
    this.watcher?.close();
    this.watcher = undefined;
    this.identity = "";
  }

  /** Others may write beside the files: a log, for example, that would then tell of itself for ever. */
  private concerns(name: string): boolean {
    return name === basename(this.path) || isConfigurationFile(name) || name.startsWith(SYMLINK_SWAP);
  }

  private noticed(): void {
    const now = performance.now();
    this.firstEvent ??= now;
    const longest = this.firstEvent + this.settle * MAX_SETTLES - now;
    this.schedule(Math.max(0, Math.min(this.settle, longest)));
  }

  private schedule(delay: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.firstEvent = undefined;
      this.changed();
    }, delay).unref();
  }
}

/** What to watch for a path, `undefined` when there is nothing. */
async function watchable(path: string): Promise<{ readonly path: string; readonly identity: string } | undefined> {
  const self = await statOf(path);
  if (self?.isDirectory() === true) return { path, identity: `${self.dev}:${self.ino}` };
  const parent = await statOf(dirname(path));
  if (parent?.isDirectory() !== true) return undefined;
  const file = self === undefined ? "" : ` ${self.dev}:${self.ino}`;
  return { path: dirname(path), identity: `${parent.dev}:${parent.ino}${file}` };
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    const failure = FileError.from(path, error);
    if (["ENOENT", "ENOTDIR", "EACCES", "ELOOP"].includes(failure.code)) return undefined;
    throw failure;
  }
}
