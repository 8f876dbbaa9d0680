import { readdir, readlink, realpath, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { FileError, patiently, readRegularFile } from "#core/files/index.js";
import type { ParsedDocument } from "./document.js";

/** The parser is loaded with the first file: no agent waits for it at its start that has none. */
const require = createRequire(import.meta.url);

/** Something in the files that cannot be applied. */
export interface Problem {
  readonly file: string;
  /** From 1; `undefined` when it concerns the whole file. */
  readonly line: number | undefined;
  readonly key: string;
  readonly field: string;
  readonly message: string;
  /** The part of the file that it is about, as text. */
  readonly payload: string;
}

export type ReadResult<T> =
  | { readonly ok: true; readonly content: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A file as it was read. */
export interface ReadFile {
  readonly file: string;
  /** None: the file is empty, or has nothing but comments. It says nothing then, not even that it wants nothing. */
  readonly documents: readonly ParsedDocument[];
  /** Of the last write to it, ms since the epoch. */
  readonly written: number;
}

const EXTENSIONS = /\.(ya?ml|json)$/i;

export function isConfigurationFile(name: string): boolean {
  return EXTENSIONS.test(name) && !name.startsWith(".");
}

/**
 * Reads the files of a directory that count, in name order (YAML and JSON, hidden ones left out), or the one file itself. What
 * cannot be read or parsed is a problem of that file; rejects with `FileError` when the path itself cannot be read. Of a file that lies outside the
 * directory, behind a symbolic link, nothing is read. `limit`: bytes of all files together.
 */
export async function readFiles(path: string, limit: number): Promise<ReadResult<readonly ReadFile[]>> {
  const { directory, names } = await patiently(path, () => filesOf(path));
  const files: ReadFile[] = [];
  const problems: Problem[] = [];
  let left = limit;
  for (const name of names) {
    const file = name === undefined ? path : join(path, name);
    try {
      const { content, stat } = await patiently(file, () =>
        readRegularFile(file, left, async (_, { fd }) => checkWithin(await readlink(`/proc/self/fd/${fd}`), directory)),
      );
      left -= content.length;
      const parsed = parse(file, content.toString("utf8"));
      if (parsed.ok) files.push({ file, documents: parsed.content, written: Number(stat.mtimeMs) });
      else problems.push(...parsed.problems);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      const isLimit = error.code === "EFBIG";
      const message = isLimit ? `the files are larger than ${limit} bytes together (file.max_bytes)` : error.message;
      problems.push({
        file,
        line: undefined,
        key: "",
        field: "",
        message: message.replace(`${file}: `, ""),
        payload: "",
      });
    }
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, content: files };
}

/** The real directory that all files must be in, and their names in `path`; `undefined` for the path itself. */
async function filesOf(
  path: string,
): Promise<{ readonly directory: string; readonly names: readonly (string | undefined)[] }> {
  try {
    const isDirectory = (await stat(path)).isDirectory();
    const directory = await realpath(isDirectory ? path : dirname(path));
    if (!isDirectory) return { directory, names: [undefined] };
    return { directory, names: (await readdir(directory)).filter(isConfigurationFile).sort() };
  } catch (error) {
    throw FileError.from(path, error);
  }
}

function checkWithin(real: string, directory: string): void {
  if (real.startsWith(directory === "/" ? "/" : `${directory}/`)) return;
  throw new FileError("EACCES", `it leads out of ${directory}, to a file that is not read`);
}

function parse(file: string, text: string): ReadResult<readonly ParsedDocument[]> {
  const { parseDocuments } = require("./document.js") as typeof import("./document.js");
  const parsed = parseDocuments(file, text);
  const cut = parsed.ok ? cutAt(file, text) : undefined;
  return cut === undefined ? parsed : { ok: false, problems: [cut] };
}

/** A YAML file that ends where something must follow was cut short, although what is left can be parsed. */
function cutAt(file: string, text: string): Problem | undefined {
  const lines = text.split("\n");
  const index = lines.findLastIndex((line) => /^\s*[^\s#]/.test(line));
  const line = lines[index]?.replace(/\s+#.*$/, "").trimEnd() ?? "";
  if (!/(:|^\s*-)$/.test(line)) return undefined;
  const message = `${basename(file)} ends in the middle, as if it had been cut short: write [] where nothing is meant to follow`;
  return { file, line: index + 1, key: "", field: "", message, payload: line };
}
