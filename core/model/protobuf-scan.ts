import type { Budget } from "./budget.js";
import { FieldError } from "./field-error.js";
import { scanJson } from "./json-scan.js";
import type { MessageTable } from "./schema.js";

/** Wire types of protobuf's encoding. */
const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const GROUP = 3;
const END_GROUP = 4;
const FIXED_32 = 5;

const JSON_VALUE = "tenuto.v1.JsonValue";
const TEXT = 1;
/** As deep as the reader goes. */
const MAX_DEPTH = 100;

/** Walks over the fields of a message in bytes without building anything; what it says is about the present field. */
export class FieldCursor {
  field = 0;
  wireType = 0;
  /** Where its tag begins, where its value begins (behind the length, if it has one), and where it ends. */
  start = 0;
  content = 0;
  end = 0;
  private at = 0;

  constructor(
    private readonly message: MessageTable,
    private readonly bytes: Uint8Array,
  ) {}

  /** Goes to the next field; `false` at the end. Throws {@link FieldError} for bytes that are no protobuf. */
  next(): boolean {
    if (this.at >= this.bytes.length) return false;
    this.start = this.at;
    const tag = this.varint();
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    if (this.field === 0) throw this.malformed("field number 0");
    const length = this.wireType === LENGTH_DELIMITED ? this.varint() : 0;
    this.content = this.at;
    this.at += length;
    if (length === 0) this.skip(this.wireType);
    if (this.at > this.bytes.length) throw this.malformed("a field ends behind the end");
    this.end = this.at;
    return true;
  }

  /** Of a field that has a length. */
  get inside(): Uint8Array {
    return this.bytes.subarray(this.content, this.end);
  }

  private skip(wireType: number): void {
    if (wireType === VARINT) this.varint();
    else if (wireType === FIXED_64) this.at += 8;
    else if (wireType === FIXED_32) this.at += 4;
    else if (wireType === GROUP) this.skipGroup();
    else if (wireType !== LENGTH_DELIMITED) throw this.malformed(`wire type ${wireType}`);
  }

  private skipGroup(): void {
    for (let depth = 1; depth > 0; ) {
      const wireType = this.varint() % 8;
      if (wireType === GROUP) depth++;
      else if (wireType === END_GROUP) depth--;
      else if (wireType === LENGTH_DELIMITED) this.at += this.varint();
      else this.skip(wireType);
      if (depth > MAX_DEPTH) throw this.malformed(`more than ${MAX_DEPTH} groups inside each other`);
    }
  }

  private varint(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw this.malformed("a number ends behind the end");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw this.malformed("a number of more than ten bytes");
  }

  private malformed(reason: string): FieldError {
    return new FieldError(
      "INVALID_PROTOBUF",
      `these ${this.bytes.length} bytes are no ${this.message.name}: ${reason}`,
    );
  }
}

/**
 * Counts what a message would become, without building anything: two bytes can be an object. `find` looks up the messages that an
 * `Any` names. Throws {@link FieldError} `TOO_LARGE`, `TOO_DEEP`.
 */
export function countRecords(
  message: MessageTable,
  bytes: Uint8Array,
  budget: Budget,
  find: (typeUrl: string) => MessageTable | undefined,
  depth = 0,
): void {
  if (depth > MAX_DEPTH) throw new FieldError("TOO_DEEP", `more than ${MAX_DEPTH} messages inside each other`);
  const cursor = new FieldCursor(message, bytes);
  while (cursor.next()) {
    budget.spend(0, 1);
    if (cursor.wireType !== LENGTH_DELIMITED) continue;
    const type = message.byNumber.get(cursor.field)?.type;
    if (type?.kind === "message") {
      budget.spend(1, 0);
      if (cursor.end > cursor.content) countRecords(type.message, cursor.inside, budget, find, depth + 1);
    } else if (type?.kind === "any") {
      budget.spend(1, 0);
      countAny(message, cursor.inside, budget, find, depth + 1);
    } else if (message.name === JSON_VALUE && cursor.field === TEXT) {
      scanJson(cursor.inside, budget);
    }
  }
}

/** `google.protobuf.Any`: type_url 1, value 2. */
function countAny(
  holder: MessageTable,
  bytes: Uint8Array,
  budget: Budget,
  find: (typeUrl: string) => MessageTable | undefined,
  depth: number,
): void {
  const cursor = new FieldCursor(holder, bytes);
  let typeUrl: Uint8Array | undefined;
  let value: Uint8Array | undefined;
  while (cursor.next()) {
    budget.spend(0, 1);
    if (cursor.wireType !== LENGTH_DELIMITED) continue;
    if (cursor.field === 1) typeUrl = cursor.inside;
    if (cursor.field === 2) value = cursor.inside;
  }
  if (typeUrl === undefined || value === undefined) return;
  const message = find(Buffer.from(typeUrl).toString("utf8"));
  if (message !== undefined) countRecords(message, value, budget, find, depth);
}
