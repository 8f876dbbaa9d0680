import { existsSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a directory, and those above it, unless it is there. Throws the error of `mkdir`.
 *
 * Node's own `recursive` never ends where a directory is there and the kernel says ENOENT all the same, as below /proc.
 */
export function makeDirectories(directory: string, mode: number): void {
  const missing: string[] = [];
  for (let each = resolve(directory); !existsSync(each); each = dirname(each)) missing.push(each);
  for (const each of missing.reverse()) makeDirectory(each, mode);
  // A file may be in the way.
  mkdirSync(directory, { recursive: true });
}

function makeDirectory(directory: string, mode: number): void {
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    // Somebody else made it meanwhile.
    if (!existsSync(directory)) throw error;
  }
}
