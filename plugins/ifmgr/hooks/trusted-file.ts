import { lstat, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { InvalidInputError } from "#core/errors.js";

const WORLD_WRITABLE = 0o002;
const STICKY = 0o1000;
const EXECUTABLE = 0o111;

/**
 * The real path of a program that nobody but root can have put there: it and every directory above it belong to root, and nobody
 * else can write them. (A sticky directory such as /tmp may be world-writable: what root owns in it stays root's.)
 * `within`: a directory that it must be in. Throws `InvalidInputError` (`HOOK_NOT_TRUSTED`) that says what is wrong.
 */
export async function trustedProgram(path: string, within: string | undefined): Promise<string> {
  const real = await realpath(path).catch((cause: unknown) => {
    throw distrust(path, "there is no such file", cause);
  });
  if (within !== undefined) await checkWithin(path, real, within);
  const file = await lstat(real);
  if (!file.isFile() || (file.mode & EXECUTABLE) === 0) throw distrust(path, "it is not an executable file");
  if (file.uid !== 0) throw distrust(path, `it belongs to user ${file.uid}, not to root`);
  if ((file.mode & WORLD_WRITABLE) !== 0) throw distrust(path, "anybody can write it");
  for (let directory = dirname(real); ; directory = dirname(directory)) {
    const { uid, mode } = await lstat(directory);
    const isOpen = (mode & WORLD_WRITABLE) !== 0 && (mode & STICKY) === 0;
    if (uid !== 0 || isOpen) throw distrust(path, `others than root can replace it: ${directory} is open to them`);
    if (directory === dirname(directory)) return real;
  }
}

async function checkWithin(path: string, real: string, within: string): Promise<void> {
  const directory = await realpath(within).catch((cause: unknown) => {
    throw distrust(path, `there is no directory ${within} (ifmgr.hook_directory)`, cause);
  });
  if (!real.startsWith(`${directory}/`)) {
    throw distrust(path, `programs that a registration names must be in ${within} (ifmgr.hook_directory)`);
  }
}

function distrust(path: string, reason: string, cause?: unknown): InvalidInputError {
  return new InvalidInputError("HOOK_NOT_TRUSTED", `${path} is not run: ${reason}`, { cause });
}
