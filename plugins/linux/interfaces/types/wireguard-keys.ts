import { errorMessage, SouthboundError } from "#core/errors.js";
import { FileError, patiently, readRegularFile } from "#core/files/index.js";

/** 32 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** What stands in a field for a key that is not the one of its file. */
export const ANOTHER_KEY = "another key";

export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** Bytes of a file with a key: more than a key has, since there may be empty lines around it. */
const LONGEST_FILE = 4096;
const WRITABLE_BY_OTHERS = 0o002n;

/** Reads a key, of a regular file that not just anybody can write. Errors name the file and the field, and never what is in the file. */
export async function readKey(path: string, field: string): Promise<string> {
  let text: string;
  try {
    const { content } = await patiently(path, () =>
      readRegularFile(path, LONGEST_FILE, ({ mode }) => {
        if ((mode & WRITABLE_BY_OTHERS) !== 0n) {
          throw new FileError("EACCES", `anybody can write it; take that away: chmod o-w ${path}`);
        }
      }),
    );
    text = content.toString("utf8").trim();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "EIO";
    throw new SouthboundError(code, `cannot read the key in ${path}: ${errorMessage(error)}`, { field, cause: error });
  }
  if (isKey(text)) return text;
  throw new SouthboundError("EINVAL", `${path} holds no key: expected 32 bytes in base64`, { field });
}

/** The path when its file holds the key, `ANOTHER_KEY` when it does not, `undefined` when there is neither path nor key. */
export async function pathOfKey(path: string | undefined, key: string | undefined): Promise<string | undefined> {
  if (!path) return key === undefined || isZero(key) ? undefined : ANOTHER_KEY;
  const stored = await readKey(path, "").catch(() => undefined);
  return stored !== undefined && stored === key ? path : ANOTHER_KEY;
}

/** The kernel's way to say that there is no key. */
export const ZERO_KEY = Buffer.alloc(32).toString("base64");

function isZero(key: string): boolean {
  return key === ZERO_KEY;
}
