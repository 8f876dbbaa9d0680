import { randomUUID } from "node:crypto";
import { accessSync, constants, existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { makeDirectories } from "#core/directories.js";
import { errorMessage, SouthboundError } from "#core/errors.js";
import { AcknowledgedWrites } from "./acknowledged.js";
import { codeOf, locked, newerFormat, reasonOf, unwritable } from "./errors.js";
import { FORMAT, HEAD, type Head, LevelRecords } from "./level-records.js";
import { linkCopy } from "./link-copy.js";
import { decodeRecord, SetDigest } from "./record.js";
import type { Records } from "./records.js";
import { isFull, isReadOnly, readCopy, WaitingRecords } from "./waiting-records.js";
import { Witness } from "./witness.js";

export interface OpenedStore {
  readonly records: Records;
  /** Every readable record but the head. */
  readonly contents: ReadonlyMap<string, unknown>;
  readonly damage: Damage | undefined;
  /** Why it knows less than the agent that ran last did. */
  readonly behind: string | undefined;
  /** Why nothing can be written to it now; it was read all the same. */
  readonly unwritable?: string;
}

export interface Damage {
  /** What is wrong, in a sentence. */
  readonly reason: string;
  /** Where the database was put aside as it was found. */
  readonly setAside: string;
}

interface Contents {
  readonly records: Map<string, unknown>;
  readonly digest: SetDigest;
  /** Number of the last write, 0 when there was none. */
  readonly commit: number;
  readonly identity: string | undefined;
  readonly problem: string | undefined;
}

interface Paths {
  readonly database: string;
  /** The database's files as they were before it was opened, while it is being checked. */
  readonly beforeOpen: string;
  /** Where a damaged database is repaired and its successor is made. */
  readonly workbench: string;
  readonly acknowledged: string;
}

const READ_AT_ONCE = 1000;

const NOTHING = { records: new Map<string, unknown>(), digest: new SetDigest(), commit: 0, identity: undefined };

/**
 * As {@link openStore}; a store whose disk is full, or can only be read, is read all the same, and opened by the first write that it takes.
 */
export async function openOrReadStore(directory: string, voidedByLoss: readonly string[]): Promise<OpenedStore> {
  try {
    return await openStore(directory, voidedByLoss);
  } catch (error) {
    const isKept = existsSync(pathsIn(directory).database);
    if (!isFull(error) && !(isReadOnly(error) && isKept)) throw error;
    return await readStore(directory, voidedByLoss, whyUnwritable(directory, error));
  }
}

function whyUnwritable(directory: string, error: unknown): string {
  const reason = errorMessage(reasonOf(error));
  return `cannot write ${directory}: ${reason}; what it has was read, and what comes is stored when there is room`;
}

async function readStore(directory: string, voidedByLoss: readonly string[], unwritable: string): Promise<OpenedStore> {
  const paths = pathsIn(directory);
  const copied = await readCopy(paths.database, async (copy) => {
    const database = new ClassicLevel(copy);
    const contents = await readDatabase(database);
    await database.close();
    return contents;
  }).catch((error: unknown): Contents => ({ ...NOTHING, problem: `it could not be copied: ${errorMessage(error)}` }));
  const { records: contents, digest, identity, commit } = copied;
  const problem = copied.problem ?? lostWrites(commit, AcknowledgedWrites.read(paths.acknowledged));
  const witness = Witness.of(directory);
  const behind = commit === 0 || identity === undefined ? undefined : witness.objection(identity, commit);
  if (problem !== undefined || behind !== undefined) for (const name of voidedByLoss) contents.delete(name);
  const damage = problem === undefined ? undefined : { reason: problem, setAside: directory };
  const open = async (): Promise<Records> => {
    const opened = await openStore(directory, voidedByLoss).catch((error: unknown) => {
      throw reasonOf(error);
    });
    return opened.records;
  };
  const records = new WaitingRecords({
    contents,
    identity: digest.size > 0 ? identity : undefined,
    commit,
    witness,
    open,
  });
  return { records, contents, damage, behind, unwritable };
}

/**
 * Opens the store in a directory (made when missing) and checks everything in it. A database that cannot be opened, holds
 * a bad record, or lacks one that was acknowledged is damaged: it is put aside as it was found, and what is still readable
 * starts a new one.
 *
 * Opening makes LevelDB replay its log, drop what it cannot read without an error, and delete the log. So its files are kept
 * until the database has been checked.
 *
 * @param voidedByLoss records that do not hold any more once something is lost
 * @throws SouthboundError `STORE_LOCKED` when another agent uses the directory, `STORE_FORMAT` when a newer Tenuto wrote
 * it, the errno name when the directory cannot be used.
 */
export async function openStore(directory: string, voidedByLoss: readonly string[]): Promise<OpenedStore> {
  const paths = pathsIn(directory);
  let kept = false;
  try {
    makeDirectories(directory, 0o700);
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    if (existsSync(paths.database)) kept = linkCopy(paths.database, paths.beforeOpen);
  } catch (error) {
    throw unwritable(directory, error);
  }
  const database = new ClassicLevel(paths.database);
  const contents = await readDatabase(database).catch(async (error: unknown) => {
    if (kept) rmSync(paths.beforeOpen, { recursive: true, force: true });
    await database.close();
    throw refusal(directory, error);
  });
  const acknowledged = AcknowledgedWrites.read(paths.acknowledged);
  const problem = contents.problem ?? lostWrites(contents.commit, acknowledged);
  if (problem !== undefined) {
    await database.close();
    return await startAnew(directory, problem, Math.max(contents.commit, acknowledged), voidedByLoss);
  }
  rmSync(paths.beforeOpen, { recursive: true, force: true });
  const writes = AcknowledgedWrites.open(paths.acknowledged);
  const witness = Witness.of(directory);
  const { commit, digest, identity = randomUUID() } = contents;
  const behind = commit === 0 ? undefined : witness.objection(identity, commit);
  if (behind !== undefined) for (const name of voidedByLoss) contents.records.delete(name);
  const records = new LevelRecords(database, writes, digest, commit, identity, witness);
  return { records, contents: contents.records, damage: undefined, behind };
}

function refusal(directory: string, error: unknown): SouthboundError {
  if (error instanceof SouthboundError) return error;
  return codeOf(error) === "LEVEL_LOCKED" ? locked(directory, error) : unwritable(directory, error);
}

function pathsIn(directory: string): Paths {
  return {
    database: join(directory, "db"),
    beforeOpen: join(directory, "db.before-open"),
    workbench: join(directory, "db.workbench"),
    acknowledged: join(directory, "acknowledged"),
  };
}

/**
 * Puts a damaged database aside and begins a new one with what is readable in it. Ending in the middle of it loses nothing:
 * the next start finds the same damage.
 */
async function startAnew(
  directory: string,
  problem: string,
  commit: number,
  voidedByLoss: readonly string[],
): Promise<OpenedStore> {
  const paths = pathsIn(directory);
  const setAside = join(directory, `db.damaged-${new Date().toISOString().replaceAll(":", "")}`);
  linkCopy(existsSync(paths.beforeOpen) ? paths.beforeOpen : paths.database, setAside);
  const { records: contents, problem: unreadable } = await salvage(setAside, paths.workbench);
  for (const name of voidedByLoss) contents.delete(name);

  const acknowledged = AcknowledgedWrites.open(paths.acknowledged);
  const identity = randomUUID();
  const fresh = await openEmpty(paths.workbench);
  const unfinished = new LevelRecords(fresh, acknowledged, new SetDigest(), commit, identity, undefined);
  await unfinished.write(contents);
  await unfinished.close();
  rmSync(paths.database, { recursive: true, force: true });
  renameSync(paths.workbench, paths.database);
  rmSync(paths.beforeOpen, { recursive: true, force: true });

  const database = new ClassicLevel(paths.database);
  const { digest, commit: written } = await readDatabase(database);
  const writes = AcknowledgedWrites.open(paths.acknowledged);
  const records = new LevelRecords(database, writes, digest, written, identity, Witness.of(directory));
  const reason = unreadable === undefined ? problem : `${problem}; nothing in it is readable: ${unreadable}`;
  return { records, contents, damage: { reason, setAside }, behind: undefined };
}

async function openEmpty(location: string): Promise<ClassicLevel> {
  const database = new ClassicLevel(location);
  await database.open({ errorIfExists: true });
  return database;
}

/** The readable records of a damaged database, read from a copy; `problem` says why there are none. */
async function salvage(damaged: string, copy: string): Promise<Pick<Contents, "records" | "problem">> {
  rmSync(copy, { recursive: true, force: true });
  linkCopy(damaged, copy);
  try {
    await ClassicLevel.repair(copy);
    const database = new ClassicLevel(copy);
    const { records } = await readDatabase(database);
    await database.close();
    return { records, problem: undefined };
  } catch (error) {
    return { records: new Map(), problem: errorMessage(error) };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Opens and reads a database. Throws when its directory is locked or refused; a broken database is a `problem`. */
async function readDatabase(database: ClassicLevel): Promise<Contents> {
  try {
    await database.open();
  } catch (error) {
    const reason = reasonOf(error);
    if (!isDamage(reason)) throw reason;
    return { ...NOTHING, records: new Map(), problem: errorMessage(reason) };
  }
  return await readRecords(database);
}

async function readRecords(database: ClassicLevel): Promise<Contents> {
  const records = new Map<string, unknown>();
  const digest = new SetDigest();
  const bad: string[] = [];
  let head: Head | undefined;
  const iterator = database.iterator();
  try {
    for (;;) {
      const entries = await iterator.nextv(READ_AT_ONCE);
      if (entries.length === 0) break;
      for (const [key, text] of entries) {
        const record = decodeRecord(key, text);
        if (record === undefined) {
          bad.push(key);
        } else if (key === HEAD) {
          head = record.value as Head;
        } else {
          records.set(key, record.value);
          digest.set(key, record.checksum);
        }
      }
    }
  } catch (error) {
    bad.push(errorMessage(error));
  } finally {
    await iterator.close();
  }
  if (head !== undefined && head.format > FORMAT) throw newerFormat(database.location, head.format);
  return {
    records,
    digest,
    commit: head?.commit ?? 0,
    identity: head?.identity,
    problem: problemOf(head, bad, digest),
  };
}

function problemOf(head: Head | undefined, bad: readonly string[], digest: SetDigest): string | undefined {
  if (bad.length > 0) return `${bad.length} unreadable, first ${bad[0]}`;
  if (head === undefined) return digest.size === 0 ? undefined : `the head of ${digest.size} records is missing`;
  if (head.records !== digest.size) return `${head.records} records were written and ${digest.size} are there`;
  return head.digest === digest.value ? undefined : "some records are not the ones written last";
}

function lostWrites(commit: number, acknowledged: number): string | undefined {
  return commit >= acknowledged ? undefined : `the last ${acknowledged - commit} acknowledged writes are missing`;
}

/** A missing file (a manifest, a table), and one that the disk does not give back, come as I/O errors and not as `LEVEL_CORRUPTION`. */
function isDamage(error: unknown): boolean {
  const unreadable = /invalid argument|no such file|input\/output error|is a directory/i;
  return codeOf(error) === "LEVEL_CORRUPTION" || unreadable.test(errorMessage(error));
}
