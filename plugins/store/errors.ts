import { errorMessage, SouthboundError } from "#core/errors.js";

/** The code of a failed system call (`ENOENT`) or of LevelDB (`LEVEL_LOCKED`); `undefined` for anything else. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

/** LevelDB wraps the reason of a failed open; this is the reason. */
export function reasonOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

export function unwritable(directory: string, error: unknown): SouthboundError {
  return new SouthboundError(
    codeOf(error) ?? "STORE_UNWRITABLE",
    `the store cannot use ${directory}: ${errorMessage(error)}. Set store.directory to a directory that this user may write, or store.enabled to false`,
    { field: "store.directory", cause: error },
  );
}

export function locked(directory: string, error: unknown): SouthboundError {
  return new SouthboundError(
    "STORE_LOCKED",
    `the store ${directory} is in use by another agent. Give each agent its own label, or its own store.directory`,
    { field: "store.directory", cause: error },
  );
}

export function newerFormat(database: string, format: number): SouthboundError {
  return new SouthboundError(
    "STORE_FORMAT",
    `the store ${database} was written by a newer Tenuto (format ${format}). Run that version, or move the directory away`,
    { field: "store.directory" },
  );
}
