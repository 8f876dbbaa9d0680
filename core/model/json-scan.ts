import type { Slices } from "../slices.js";
import { type Budget, MAX_CONTAINERS } from "./budget.js";
import { FieldError } from "./field-error.js";

/** Objects and lists inside each other. No message of ours has a tenth of it. */
export const MAX_JSON_DEPTH = 64;

/** Bytes of JSON that are parsed at once, about: a millisecond's work. */
export const SLICE_BYTES = 64 * 1024;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** A long list that is in no other list. */
export interface LongList {
  /** Offsets of its brackets. */
  readonly open: number;
  readonly close: number;
  /** Offsets of commas between its entries, one about every {@link SLICE_BYTES}. */
  readonly cuts: readonly number[];
}

/**
 * Walks over JSON text without building anything, a few nanoseconds for a byte. Throws {@link FieldError} for what is nested too
 * deeply (`TOO_DEEP`), has too many parts (`TOO_LARGE`) or does not close what it opens (`INVALID_JSON`); whatever else is wrong
 * with it is left to the parser. Returns the long lists.
 */
export function scanJson(bytes: Uint8Array, budget: Budget, maxEntries?: number): readonly LongList[] {
  const scan = new JsonScan(budget, maxEntries);
  scan.walk(bytes, 0, bytes.length);
  return scan.finished();
}

/** Bytes that are scanned between two looks at the clock. */
const SCANNED_AT_ONCE = 1024 * 1024;

/** The same in slices. */
export async function scanJsonInSlices(
  bytes: Uint8Array,
  budget: Budget,
  slices: Slices,
  maxEntries?: number,
): Promise<readonly LongList[]> {
  const scan = new JsonScan(budget, maxEntries);
  for (let at = 0; at < bytes.length; ) {
    if (at > 0 && slices.isOver) await slices.next();
    at = scan.walk(bytes, at, Math.min(bytes.length, at + SCANNED_AT_ONCE));
  }
  return scan.finished();
}

/** Plain fields: this is as quick as local variables, and private names are not. */
class JsonScan {
  readonly found: LongList[] = [];
  containers = 0;
  values = 0;
  private readonly kinds = new Uint8Array(MAX_JSON_DEPTH + 1);
  private depth = 0;
  /** Of the outermost list, if one is open: its depth and place, its entries so far, and where it was cut last. */
  private list = 0;
  private start = 0;
  private entries = 0;
  private cut = 0;
  private cuts: number[] = [];

  constructor(
    private readonly budget: Budget,
    private readonly maxEntries = Number.POSITIVE_INFINITY,
  ) {}

  /** Looks at the bytes up to there, and to the end of a text that begins there. Returns where to go on. */
  walk(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    for (; at < to; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) at = endOfText(bytes, at);
      else if (byte === COMMA) this.comma(at);
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.open(byte, at);
      else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.close(byte, at);
    }
    return at;
  }

  finished(): readonly LongList[] {
    if (this.depth > 0) throw notJson("it ends too early");
    this.budget.spend(this.containers, this.values);
    return this.found;
  }

  private comma(at: number): void {
    this.values++;
    if (this.depth !== this.list) return;
    this.entries++;
    if (at - this.cut < SLICE_BYTES) return;
    this.cuts.push(at);
    this.cut = at;
  }

  private open(byte: number, at: number): void {
    if (++this.depth > MAX_JSON_DEPTH) throw tooDeep();
    // Those that are far too many are not looked at to the end.
    if (++this.containers > MAX_CONTAINERS) this.budget.spend(this.containers, 0);
    this.kinds[this.depth] = byte;
    if (byte === OPEN_OBJECT || this.list > 0) return;
    this.list = this.depth;
    this.start = at;
    this.cut = at;
    this.entries = 1;
    this.cuts = [];
  }

  private close(byte: number, at: number): void {
    // In ASCII a closing bracket comes two places after its opening one. At depth 0 nothing is open.
    if (byte - (this.kinds[this.depth] ?? 0) !== 2) throw notJson(`what byte ${at} closes was not opened`);
    if (this.depth-- !== this.list) return;
    this.list = 0;
    if (this.entries > this.maxEntries) {
      throw new FieldError("TOO_LARGE", `a list with ${this.entries} entries; ${this.maxEntries} are allowed`);
    }
    if (this.cuts.length > 0) this.found.push({ open: this.start, close: at, cuts: this.cuts });
  }
}

/** Is it so short, with so few brackets, that it cannot be too deep or too much? Nearly every value is. */
export function isPlain(bytes: Uint8Array): boolean {
  if (bytes.length > SLICE_BYTES) return false;
  let brackets = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === OPEN_OBJECT || byte === OPEN_LIST) brackets++;
  }
  return brackets <= MAX_JSON_DEPTH;
}

/** Offset of the quote that ends a text. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  throw notJson("it ends inside a text");
}

/** So far a text member of an object is looked for. */
const NEAR = 64 * 1024;

/** A text member of the outermost object, near its beginning: of JSON that need not be whole or good. `undefined` without. */
export function textMember(bytes: Uint8Array, name: string): string | undefined {
  const near = bytes.subarray(0, NEAR);
  let depth = 0;
  try {
    for (let at = 0; at < near.length; at++) {
      const byte = near[at];
      if (byte === OPEN_OBJECT || byte === OPEN_LIST) depth++;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) depth--;
      if (byte !== QUOTE) continue;
      const end = endOfText(near, at);
      const value = depth === 1 && textAt(near, at, end) === name ? afterColon(near, end + 1) : undefined;
      if (value !== undefined && near[value] === QUOTE) return textAt(near, value, endOfText(near, value));
      at = end;
    }
  } catch (error) {
    if (!(error instanceof FieldError) && !(error instanceof SyntaxError)) throw error;
  }
  return undefined;
}

function textAt(bytes: Uint8Array, start: number, end: number): string {
  const text: unknown = JSON.parse(Buffer.from(bytes.subarray(start, end + 1)).toString("utf8"));
  return String(text);
}

function afterColon(bytes: Uint8Array, from: number): number | undefined {
  const colon = skipBlanks(bytes, from);
  return bytes[colon] === COLON ? skipBlanks(bytes, colon + 1) : undefined;
}

function skipBlanks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] ?? 0) <= 0x20) at++;
  return at;
}

export function tooDeep(): FieldError {
  return new FieldError("TOO_DEEP", `more than ${MAX_JSON_DEPTH} objects and lists inside each other`);
}

export function notJson(reason: string): FieldError {
  return new FieldError("INVALID_JSON", `not JSON: ${reason}`);
}
