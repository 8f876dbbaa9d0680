import { type BigIntStats, closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { FileError } from "./patience.js";

/** Linux's O_PATH, which Node has no name for: names a file without opening it, so that no device or FIFO notices. */
export const O_PATH = 0o10000000;

const READ_AT_ONCE = 64 * 1024;

export interface RegularFile {
  readonly content: Buffer;
  readonly stat: BigIntStats;
}

/** What a file is, for a message that says that it is not what it should be. */
export function kindOfFile(stat: BigIntStats | Stats): string {
  if (stat.isFile()) return "a file";
  if (stat.isDirectory()) return "a directory";
  if (stat.isSymbolicLink()) return "a symbolic link";
  if (stat.isFIFO()) return "a FIFO";
  if (stat.isSocket()) return "a socket";
  return "a device";
}

/**
 * Reads a file of at most `limit` bytes. One that is no regular file is not opened: that of a FIFO would wait for a writer, that of a
 * device may do anything. Symbolic links are followed. Rejects with `FileError`, which tells nothing of what is in the file. `accept` may throw to
 * refuse a file before it is read: what it sees is what will be read.
 */
export async function readRegularFile(
  path: string,
  limit: number,
  accept: (stat: BigIntStats, handle: FileHandle) => void | Promise<void> = () => undefined,
): Promise<RegularFile> {
  const named = await open(path, O_PATH).catch((error: unknown) => {
    throw FileError.from(path, error);
  });
  try {
    const stat = await named.stat({ bigint: true });
    if (!stat.isFile()) throw new FileError("EINVAL", `${path} is ${kindOfFile(stat)}, expected a regular file`);
    if (stat.size > BigInt(limit)) throw tooLarge(path, limit);
    await accept(stat, named);
    const file = await open(`/proc/self/fd/${named.fd}`, constants.O_RDONLY | constants.O_NONBLOCK).catch(
      (error: unknown) => {
        throw FileError.from(path, error);
      },
    );
    try {
      return { content: await readUpTo(file, path, limit), stat: await file.stat({ bigint: true }) };
    } finally {
      await file.close();
    }
  } finally {
    await named.close();
  }
}

/** A file that an operator named: a secret, a certificate. */
const MOST_SETTING_BYTES = 1024 * 1024;

/**
 * Reads a small file that the configuration names, at once: a FIFO or a device in its place is refused, where a plain read would wait
 * for its writer for ever. Throws `FileError`; what `accept` throws to refuse the file comes through.
 */
export function readSettingFile(path: string, accept: (stat: Stats) => void = () => undefined): Buffer {
  const named = opened(path, O_PATH, path);
  try {
    const stat = fstatSync(named);
    if (!stat.isFile()) throw new FileError("EINVAL", `${path} is ${kindOfFile(stat)}, expected a regular file`);
    if (stat.size > MOST_SETTING_BYTES) throw tooLarge(path, MOST_SETTING_BYTES);
    accept(stat);
    const file = opened(`/proc/self/fd/${named}`, constants.O_RDONLY | constants.O_NONBLOCK, path);
    try {
      return readFileSync(file);
    } catch (error) {
      throw FileError.from(path, error);
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(named);
  }
}

function opened(place: string, flags: number, path: string): number {
  try {
    return openSync(place, flags);
  } catch (error) {
    throw FileError.from(path, error);
  }
}

/** It may grow while it is read, and a file of /proc has the size 0. */
async function readUpTo(file: FileHandle, path: string, limit: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let length = 0; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_AT_ONCE), 0, READ_AT_ONCE, null);
    if (bytesRead === 0) return Buffer.concat(parts);
    length += bytesRead;
    if (length > limit) throw tooLarge(path, limit);
    parts.push(buffer.subarray(0, bytesRead));
  }
}

function tooLarge(path: string, limit: number): FileError {
  return new FileError("EFBIG", `${path} is larger than ${limit} bytes`);
}
