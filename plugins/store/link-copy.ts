import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "./errors.js";

/** File systems without hard links, or between two of them. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EMLINK", "EXDEV"]);

/**
 * Copies a LevelDB directory by hard links: LevelDB replaces its files and never changes one that is older than the
 * process. Where there are no hard links the files are copied. Returns false, having done nothing, when the copy is there
 * already: then it is of a start that ended before its database was checked.
 */
export function linkCopy(database: string, copy: string): boolean {
  if (existsSync(copy)) return false;
  const unfinished = `${copy}.new`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  for (const entry of readdirSync(database, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name === "LOCK") continue;
    try {
      linkSync(join(database, entry.name), join(unfinished, entry.name));
    } catch (error) {
      if (!NO_LINKS.has(codeOf(error) ?? "")) throw error;
      cpSync(join(database, entry.name), join(unfinished, entry.name));
    }
  }
  renameSync(unfinished, copy);
  return true;
}
