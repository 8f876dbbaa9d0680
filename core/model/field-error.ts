import { InvalidInputError } from "../errors.js";

export type FieldErrorCode =
  | "UNKNOWN_FIELD"
  | "DUPLICATE_FIELD"
  | "ONEOF_CONFLICT"
  | "WRONG_TYPE"
  | "OUT_OF_RANGE"
  | "UNKNOWN_ENUM_VALUE"
  | "MISSING_FIELD"
  | "INVALID_FIELD"
  | "INVALID_JSON"
  | "INVALID_PROTOBUF"
  | "INVALID_PAYLOAD"
  | "UNKNOWN_MESSAGE"
  | "KEY_MISMATCH"
  | "TOO_DEEP"
  | "TOO_LARGE";

/**
 * One wrong field. It is thrown where the problem is seen, gathers its path on the way out, and leaves the codec as an
 * `InvalidInputError` that names the key (or message) and the field.
 */
export class FieldError extends Error {
  readonly code: FieldErrorCode;
  private parts: string;

  constructor(code: FieldErrorCode, problem: string, field = "") {
    super(problem);
    this.name = "FieldError";
    this.code = code;
    this.parts = field;
  }

  /** `veth.peer_if_name`, `ip_addresses[1]`; empty for the value as a whole. */
  get path(): string {
    return this.parts;
  }

  within(segment: string): this {
    this.parts = this.parts === "" || this.parts.startsWith("[") ? segment + this.parts : `${segment}.${this.parts}`;
    return this;
  }
}

/**
 * What to throw on, for something thrown while reading the part of a value called `segment`: a field name or `[index]`.
 */
export function within(segment: string, thrown: unknown): unknown {
  return thrown instanceof FieldError ? thrown.within(segment) : thrown;
}

/**
 * What leaves the codec for something thrown inside it. `subject` is the key or, without one, the name of the message.
 */
export function invalidInput(subject: string, thrown: unknown, key?: string): unknown {
  if (!(thrown instanceof FieldError)) return thrown;
  const { code, path, message } = thrown;
  return new InvalidInputError(code, path === "" ? `${subject}: ${message}` : `${subject}: ${path}: ${message}`, {
    key,
    field: path === "" ? undefined : path,
  });
}

/** A value as error messages show it, cut when it is long. */
export function shown(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  const text = asText(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function asText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // It is nested so deeply that writing it takes more stack than reading it did.
    return Array.isArray(value) ? "[[…]]" : "{…}";
  }
}
