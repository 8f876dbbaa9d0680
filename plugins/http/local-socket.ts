import { chmod, lstat, rename, rm } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { makeDirectories } from "#core/directories.js";
import { errorMessage, InvalidInputError, TenutoError } from "#core/errors.js";

/** `sun_path` of linux/un.h has 108 bytes, the last one a zero. */
const LONGEST_PATH = 107;

/**
 * Makes a socket path free to listen on: its directory exists and nothing is in the way. The socket of an agent that
 * died is removed; one that somebody answers on is left alone.
 *
 * Throws `SOCKET_IN_USE` when another process listens there, `SOCKET_PATH_TAKEN` when the path is no socket,
 * `SOCKET_PATH_TOO_LONG`, and `SOCKET_DENIED` when the directory cannot be made or written.
 */
export async function claimSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new InvalidInputError(
      "SOCKET_PATH_TOO_LONG",
      `the socket path ${path} is longer than ${LONGEST_PATH} bytes`,
      FIELD,
    );
  }
  makeDirectory(dirname(path));
  const inTheWay = await lstat(path).catch(ignoreMissing);
  if (inTheWay === undefined) return;
  if (!inTheWay.isSocket()) {
    throw new InvalidInputError(
      "SOCKET_PATH_TAKEN",
      `${path} exists and is not a socket; remove it or set http.socket`,
      FIELD,
    );
  }
  await refuseIfAnswered(path, path);
  await removeStale(path);
}

/** Gives a fresh socket its access rights. */
export async function setSocketMode(path: string, mode: number): Promise<void> {
  await chmod(path, mode);
}

const FIELD = { field: "http.socket" };

function makeDirectory(directory: string): void {
  try {
    makeDirectories(directory, process.getuid?.() === 0 ? 0o755 : 0o700);
  } catch (cause) {
    const advice = "start the agent as root or set http.socket (TENUTO_SOCKET)";
    throw new InvalidInputError(
      "SOCKET_DENIED",
      `cannot make ${directory} for the local socket: ${errorMessage(cause)}; ${advice}`,
      {
        ...FIELD,
        cause,
      },
    );
  }
}

/**
 * Two agents may find the same stale socket at once. Each moves it aside under a name of its own and asks once more
 * before it removes it, so that neither ever removes the socket that the other has just made.
 */
async function removeStale(path: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (cause) {
    if (isMissing(cause)) return;
    throw new InvalidInputError("SOCKET_DENIED", `cannot replace the stale socket ${path}: ${errorMessage(cause)}`, {
      ...FIELD,
      cause,
    });
  }
  try {
    await refuseIfAnswered(aside, path);
  } catch (inUse) {
    await rename(aside, path);
    throw inUse;
  }
  await rm(aside, { force: true });
}

async function refuseIfAnswered(path: string, asked: string): Promise<void> {
  if (await isAnswered(path)) {
    throw new InvalidInputError(
      "SOCKET_IN_USE",
      `another agent is listening on ${asked}; stop it, or give this one its own --label or http.socket`,
      FIELD,
    );
  }
}

/** Does a process accept connections on the socket? */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "ECONNREFUSED" || cause.code === "ENOENT") resolve(false);
      // A full backlog: somebody listens but is slow.
      else if (cause.code === "EAGAIN") resolve(true);
      else
        reject(
          new TenutoError("invalid-input", "SOCKET_DENIED", `cannot look at ${path}: ${cause.message}`, {
            ...FIELD,
            cause,
          }),
        );
    });
  });
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
}

function ignoreMissing(thrown: unknown): undefined {
  if (isMissing(thrown)) return undefined;
  throw thrown;
}
