import { randomUUID } from "node:crypto";
import { errorMessage, InvalidInputError } from "../errors.js";
import { Slices } from "../slices.js";
import { Budget } from "./budget.js";
import { FieldError } from "./field-error.js";
import { isPlain, type LongList, notJson, SLICE_BYTES, scanJson, scanJsonInSlices } from "./json-scan.js";

/** The parser holds the event loop for a third of a second with so many bytes. What has no long list cannot be cut. */
const MAX_AT_ONCE = 32 * 1024 * 1024;

const utf8 = new TextDecoder("utf-8", { fatal: true });
/** A mark of byte order may stand at the beginning of a text only. */
const innerUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Parses JSON that is bounded in depth and number of parts. Throws {@link FieldError}. */
export function parseJson(bytes: Uint8Array): unknown {
  if (!isPlain(bytes)) scanJson(bytes, new Budget());
  return parseWhole(bytes);
}

/** What makes good JSON too much: its depth, or the number of its parts. `undefined` when nothing does. */
export function excessOf(bytes: Uint8Array): string | undefined {
  try {
    scanJson(bytes, new Budget());
    return undefined;
  } catch (thrown) {
    if (thrown instanceof FieldError) return thrown.message;
    throw thrown;
  }
}

/** A JSON object or list. `undefined` for what is none, or is bad in any way. */
export function parseJsonObject(bytes: Uint8Array): object | undefined {
  try {
    const parsed = parseJson(bytes);
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch (thrown) {
    if (thrown instanceof FieldError) return undefined;
    throw thrown;
  }
}

/**
 * The same, of any size: a long list is parsed some entries at a time, and in between everybody else gets a turn. `maxEntries`: of a
 * list that is in no other list.
 */
export async function parseJsonInSlices(bytes: Uint8Array, slices: Slices, maxEntries?: number): Promise<unknown> {
  const lists = await scanJsonInSlices(bytes, new Budget(), slices, maxEntries);
  if (lists.length === 0) return parseWhole(bytes);
  const parsed: unknown[][] = [];
  for (const list of lists) parsed.push(await parseList(bytes, list, slices));
  return replaceMarks(bytes, lists, parsed);
}

/** {@link parseJsonInSlices} for whoever has no message yet. Rejects with `InvalidInputError`. */
export async function parseJsonBody(bytes: Uint8Array): Promise<unknown> {
  try {
    return await parseJsonInSlices(bytes, new Slices());
  } catch (thrown) {
    if (!(thrown instanceof FieldError)) throw thrown;
    const code = thrown.code === "INVALID_JSON" ? "NOT_JSON" : thrown.code;
    throw new InvalidInputError(code, `the body is ${thrown.message}`);
  }
}

function parseWhole(bytes: Uint8Array): unknown {
  refuseTooMuch(bytes.length);
  try {
    return JSON.parse(utf8.decode(bytes)) as unknown;
  } catch (thrown) {
    throw notJson(errorMessage(thrown));
  }
}

async function parseList(bytes: Uint8Array, { open, close, cuts }: LongList, slices: Slices): Promise<unknown[]> {
  const parts: (readonly unknown[])[] = [];
  let from = open + 1;
  for (const to of [...cuts, close]) {
    if (slices.isOver) await slices.next();
    parts.push(parseEntries(bytes.subarray(from, to), from));
    from = to + 1;
  }
  return parts.flat();
}

function parseEntries(bytes: Uint8Array, from: number): readonly unknown[] {
  refuseTooMuch(bytes.length);
  let some: unknown[];
  try {
    some = JSON.parse(`[${innerUtf8.decode(bytes)}]`) as unknown[];
  } catch (thrown) {
    throw notJson(`in the ${bytes.length} bytes from ${from} on: ${errorMessage(thrown)}`);
  }
  // Between two commas, or a comma and the end, there must be something.
  if (some.length === 0) throw notJson(`an entry of a list is missing before byte ${from + bytes.length}`);
  return some;
}

/** What is around the lists is parsed with a mark in the place of each. */
function replaceMarks(bytes: Uint8Array, lists: readonly LongList[], parsed: readonly unknown[][]): unknown {
  const mark = randomUUID();
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const [number, { open, close }] of lists.entries()) {
    pieces.push(bytes.subarray(from, open), Buffer.from(JSON.stringify({ [mark]: number })));
    from = close + 1;
  }
  pieces.push(bytes.subarray(from));
  const replaced = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const fields = value as Record<string, unknown>;
    const number = fields[mark];
    if (typeof number === "number") return parsed[number];
    for (const name of Object.keys(fields)) {
      const field = replaced(fields[name]);
      // Defined and not assigned: a member may be called `__proto__`.
      if (field !== fields[name])
        Object.defineProperty(fields, name, { value: field, enumerable: true, writable: true, configurable: true });
    }
    return fields;
  };
  return replaced(parseWhole(Buffer.concat(pieces)));
}

function refuseTooMuch(length: number): void {
  if (length <= MAX_AT_ONCE + SLICE_BYTES) return;
  throw new FieldError("TOO_LARGE", `${length} bytes in one piece; a single value has ${MAX_AT_ONCE} at most`);
}
