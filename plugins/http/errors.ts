import { type ErrorKind, errorMessage, TenutoError } from "#core/errors.js";

/** The body of every answer that is not the thing asked for. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly key?: string;
    readonly field?: string;
  };
}

/** What was asked for by name is not there. */
export class NotFoundError extends TenutoError {
  constructor(code: string, message: string, key?: string) {
    super("invalid-input", code, message, { key });
  }
}

/** A request that is refused before anybody looks at what it asks for, with its status. */
export class RefusedError extends TenutoError {
  constructor(
    readonly status: 400 | 401 | 403 | 413 | 415 | 503,
    code: string,
    message: string,
  ) {
    super("invalid-input", code, message);
  }
}

const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  "invalid-input": 400,
  southbound: 502,
  bus: 503,
  bug: 500,
};

/** Errors of the host's that no route can do anything about, and that pass: they say nothing against the request. */
const PASSING: Readonly<Record<string, string>> = {
  EMFILE: "the agent is out of file descriptors; ask again",
  ENFILE: "the host is out of file descriptors; ask again",
};

function passingCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && code in PASSING ? code : undefined;
}

/** The status for whatever a route threw; what is none of our errors is a bug. */
export function statusOf(error: unknown): number {
  if (passingCode(error) !== undefined) return 503;
  if (error instanceof NotFoundError) return 404;
  if (error instanceof TenutoError && error.code === "UNKNOWN_TRANSACTION") return 404;
  if (error instanceof RefusedError) return error.status;
  return error instanceof TenutoError ? STATUS_OF_KIND[error.kind] : 500;
}

export function errorBody(error: unknown): ErrorBody {
  const passing = passingCode(error);
  if (passing !== undefined) return { error: { code: passing, message: PASSING[passing] ?? passing } };
  if (!(error instanceof TenutoError)) return { error: { code: "BUG", message: errorMessage(error) } };
  const { code, message } = error;
  const key = error.key === undefined ? {} : { key: error.key };
  const field = error.field === undefined ? {} : { field: error.field };
  return { error: { code, message, ...key, ...field } };
}
