import { closeSync, openSync } from "node:fs";
import { errorMessage } from "./errors.js";

/** Node reads so many files of modules at the same time, at most. */
const DESCRIPTORS = 8;

/** Modules could not be loaded now; later they may. `code` is an errno name. */
export class NotLoadedError extends Error {
  constructor(
    readonly code: string,
    cause: unknown,
  ) {
    super(`modules cannot be loaded now: ${errorMessage(cause)}`, { cause });
    this.name = "NotLoadedError";
  }
}

/**
 * Loads modules that are needed late: `lazily(() => import("…"))`. Node remembers an import that failed for as long as the process
 * runs, so that one that was tried without file descriptors would never succeed. Here it is not tried then: rejects with
 * {@link NotLoadedError}.
 */
export async function lazily<T>(load: () => Promise<T>): Promise<T> {
  checkDescriptors();
  return await load();
}

function checkDescriptors(): void {
  const open: number[] = [];
  try {
    while (open.length < DESCRIPTORS) open.push(openSync("/dev/null", "r"));
  } catch (error) {
    throw new NotLoadedError(error instanceof Error && "code" in error ? String(error.code) : "EMFILE", error);
  } finally {
    for (const descriptor of open) closeSync(descriptor);
  }
}
