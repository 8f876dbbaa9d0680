import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { socketDirectory } from "#core/agent/socket-path.js";
import { errorMessage } from "#core/errors.js";
import { codeOf, isMissing } from "./errors.js";
import type { PreparedRecords, RecordEntry, Records } from "./records.js";
import type { Witness } from "./witness.js";

const NO_ROOM = new Set(["ENOSPC", "EDQUOT"]);
/** LevelDB gives the text of the errno alone. */
const NO_ROOM_TEXT = /no space left|quota exceeded/i;

/** Is nothing wrong but that the disk has no room? */
export function isFull(error: unknown): boolean {
  const causes = error instanceof Error && error.cause !== undefined && error.cause !== error ? [error.cause] : [];
  return NO_ROOM.has(codeOf(error) ?? "") || NO_ROOM_TEXT.test(errorMessage(error)) || causes.some(isFull);
}

/** May its file system only be read, as one is that met errors? */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error) === "EROFS";
}

export interface WaitingStore {
  /** What the store has, as far as it could be read. */
  readonly contents: ReadonlyMap<string, unknown>;
  /** Of its last write; `identity` is `undefined` when it was never written. */
  readonly identity: string | undefined;
  readonly commit: number;
  readonly witness: Witness;
  readonly open: () => Promise<Records>;
}

/**
 * The records of a store that cannot be opened because its disk is full: they can be read, and every write tries to open it. What cannot
 * be written waits with whoever writes.
 */
export class WaitingRecords implements Records {
  private opened: Records | undefined;

  constructor(private readonly store: WaitingStore) {}

  async write(changes: ReadonlyMap<string, unknown>): Promise<void> {
    const { identity, commit, witness, open } = this.store;
    try {
      this.opened ??= await open();
    } catch (error) {
      // If it is never made up for, the store does not know of what this was about.
      if (identity !== undefined && changes.size > 0) witness.note(identity, commit + 1);
      throw error;
    }
    await this.opened.write(changes);
  }

  prepare(entries: Iterable<RecordEntry>): PreparedRecords {
    return this.opened?.prepare(entries) ?? { complete: () => new Map(entries), discard: () => undefined };
  }

  async read(key: string): Promise<unknown> {
    return this.opened === undefined ? this.store.contents.get(key) : await this.opened.read(key);
  }

  async close(): Promise<void> {
    this.store.witness.close();
    await this.opened?.close();
  }
}

/**
 * Copies a database to where there is room, in memory if possible, and has it read there: opening it writes. Rejects with the error
 * of the last place that was tried.
 */
export async function readCopy<T>(database: string, read: (copy: string) => Promise<T>): Promise<T> {
  let failure: unknown;
  for (const place of [socketDirectory(), "/dev/shm", tmpdir()]) {
    let directory: string | undefined;
    try {
      directory = mkdtempSync(join(place, "tenuto-store-"));
      copyFiles(database, directory);
      return await read(directory);
    } catch (error) {
      failure = error;
    } finally {
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    }
  }
  throw failure;
}

/** Nothing when there is no database. */
function copyFiles(database: string, copy: string): void {
  try {
    for (const entry of readdirSync(database, { withFileTypes: true })) {
      if (entry.isFile() && entry.name !== "LOCK") cpSync(join(database, entry.name), join(copy, entry.name));
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
