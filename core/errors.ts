/**
 * The four kinds of error that Tenuto knows. Every error that leaves a room is one of these; anything else that is
 * thrown is a bug.
 *
 * - `invalid-input`: rejected whole, nothing was changed.
 * - `southbound`: the kernel (or another southbound) refused; the value is FAILED and may be retried.
 * - `bus`: a bus or another peer is away or refused; retried with backoff and visible in health.
 * - `bug`: ours.
 */
export type ErrorKind = "invalid-input" | "southbound" | "bus" | "bug";

export interface ErrorDetails {
  /** The key of the value that the error is about. */
  readonly key?: string | undefined;
  /** Path of the field inside the value or configuration, for example `ip_addresses[1]` or `nats.url`. */
  readonly field?: string | undefined;
  readonly cause?: unknown;
}

/** Base of every error with a stable `code` (upper snake case, part of the contract once released). */
export class TenutoError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly key: string | undefined;
  readonly field: string | undefined;

  constructor(kind: ErrorKind, code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.kind = kind;
    this.code = code;
    this.key = details.key;
    this.field = details.field;
  }
}

/** Input that can never be applied. The message names the key and the field, what it was and what was expected. */
export class InvalidInputError extends TenutoError {
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super("invalid-input", code, message, details);
  }
}

/** The southbound said no. `code` is the errno name (`EEXIST`, `EPERM` …) where there is one. */
export class SouthboundError extends TenutoError {
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super("southbound", code, message, details);
  }
}

/** A bus is away, or refused us. */
export class BusError extends TenutoError {
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super("bus", code, message, details);
  }
}

/** A broken promise inside Tenuto or one of its plugins. */
export class BugError extends TenutoError {
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super("bug", code, message, details);
  }
}

/** The text of whatever was thrown, for a message that quotes its cause. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** A message about a key, with the key before it: many that are thrown below name it already. */
export function withKey(key: string, message: string): string {
  return message.startsWith(`${key}:`) ? message : `${key}: ${message}`;
}
