/** Which files of a run have failed, from what ava reports. */
import { stripVTControlCharacters } from "node:util";

/** More than so many failed files are no accident. */
const MOST = 4;

export interface FailedFiles {
  /** Compiled, relative to the project. */
  readonly files: readonly string[];
  /** As ava reports them: `e2e › lost-store › its title`. */
  readonly titles: readonly string[];
}

/**
 * The files whose tests have failed, so that they can be run again by themselves. `undefined` where that would tell nothing: there are
 * many, or something failed that is not a test with a file (a time-out, an uncaught exception).
 *
 * @param files all that may have run
 */
export function failedFiles(report: string, files: readonly string[], failures: number): FailedFiles | undefined {
  const lines = stripVTControlCharacters(report).split("\n");
  const failed = lines.flatMap((line) => /^\s*✘ \[fail\]: (.*)$/.exec(line)?.[1] ?? []);
  const found = failed.map((title) => files.find((file) => title.startsWith(`${prefixOf(file)} › `)));
  const known = new Set(found.filter((file) => file !== undefined));
  if (failed.length !== failures || found.includes(undefined) || known.size === 0 || known.size > MOST)
    return undefined;
  return { files: [...known], titles: failed };
}

/** `dist/test/e2e/lost-store.test.js`: `e2e › lost-store`. */
function prefixOf(file: string): string {
  return file
    .replace(/^dist\/test\//, "")
    .replace(/\.test\.js$/, "")
    .replaceAll("/", " › ");
}
