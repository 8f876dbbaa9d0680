import protobuf from "protobufjs/light.js";
import { errorMessage } from "../errors.js";
import type { Slices } from "../slices.js";
import { arrange, enumName, type Fields, sortedObject } from "./canonical.js";
import { FieldError, within } from "./field-error.js";
import { FieldCursor } from "./protobuf-scan.js";
import { defaultOf, type FieldTable, type FieldType, type MessageTable } from "./schema.js";

/** `google.protobuf.Any` as it is in bytes. */
export interface PackedAny {
  readonly type_url: string;
  readonly value: Uint8Array;
}

/** How the content of an `Any` is packed and unpacked: that depends on what stands beside it. */
export interface AnyPacker {
  /** `parent` is the message that holds it: as decoded so far, or canonical. */
  unpackAny(packed: PackedAny, parent: object): object;
  packAny(content: object, parent: object): PackedAny;
}

/**
 * The canonical form of a message given as protobuf bytes. Throws {@link FieldError} for bytes that are not protobuf,
 * and for a field or enum value that the message does not have. Of several members of a oneof the last one counts, as
 * everywhere in protobuf.
 */
export function decodeBytes(message: MessageTable, bytes: Uint8Array, any: AnyPacker): object {
  return fromWire(message, read(message, bytes), any);
}

/**
 * The same, some entries of its lists at a time. All fields that are no lists are read together, since the last of each counts; runs of
 * list entries stand for themselves.
 */
export async function decodeBytesInSlices(
  message: MessageTable,
  bytes: Uint8Array,
  any: AnyPacker,
  slices: Slices,
): Promise<object> {
  const { lists, others } = divided(message, bytes);
  const fields: Fields = { ...decodeBytes(message, Buffer.concat(others), any) };
  for (const run of lists) {
    if (slices.isOver) await slices.next();
    for (const [name, some] of Object.entries(decodeRun(message, run, any, fields))) {
      if (!Array.isArray(some) || some.length === 0) continue;
      const all = listOf(fields, name);
      for (const each of some as readonly unknown[]) all.push(each);
    }
  }
  return arrange(message, fields);
}

/** Bytes of list entries that are decoded at once, about. */
const RUN_BYTES = 64 * 1024;

function listOf(fields: Fields, name: string): unknown[] {
  const known = fields[name];
  if (Array.isArray(known) && known.length > 0) return known as unknown[];
  const list: unknown[] = [];
  fields[name] = list;
  return list;
}

/** Errors count the entries of the whole list. */
function decodeRun(message: MessageTable, run: Uint8Array, any: AnyPacker, before: Fields): object {
  try {
    return decodeBytes(message, run, any);
  } catch (thrown) {
    if (!(thrown instanceof FieldError)) throw thrown;
    const [, name = "", index, rest = ""] = /^(\w+)\[(\d+)\](.*)$/.exec(thrown.path) ?? [];
    if (index === undefined) throw thrown;
    const known = before[name];
    const place = Number(index) + (Array.isArray(known) ? known.length : 0);
    throw new FieldError(thrown.code, thrown.message, `${name}[${place}]${rest}`);
  }
}

/** Runs of whole list entries, and everything else. */
function divided(
  message: MessageTable,
  bytes: Uint8Array,
): { readonly lists: readonly Uint8Array[]; readonly others: readonly Uint8Array[] } {
  const lists: Uint8Array[] = [];
  const others: Uint8Array[] = [];
  let run: number | undefined;
  const cursor = new FieldCursor(message, bytes);
  while (cursor.next()) {
    const { start, end } = cursor;
    const isEntry = message.byNumber.get(cursor.field)?.shape === "list";
    if (run !== undefined && (!isEntry || start - run >= RUN_BYTES)) {
      lists.push(bytes.subarray(run, start));
      run = undefined;
    }
    if (isEntry) run ??= start;
    else others.push(bytes.subarray(start, end));
  }
  if (run !== undefined) lists.push(bytes.subarray(run));
  return { lists, others };
}

function read(message: MessageTable, bytes: Uint8Array): object {
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = false;
  try {
    return message.codec.decode(reader);
  } catch (thrown) {
    throw new FieldError(
      "INVALID_PROTOBUF",
      `these ${bytes.length} bytes are no ${message.name}: ${errorMessage(thrown)}`,
    );
  }
}

/** The bytes of a canonical message. */
export function encodeBytes(message: MessageTable, canonical: object, any: AnyPacker): Uint8Array {
  return message.codec.encode(toWire(message, canonical, any)).finish();
}

function fromWire(message: MessageTable, decoded: object, any: AnyPacker): object {
  refuseUnknownFields(message, decoded);
  const source = decoded as Fields;
  const fields: Fields = {};
  for (const field of message.fields) {
    if (!Object.hasOwn(source, field.name)) continue;
    try {
      const value = fieldFromWire(field, source[field.name], any, source);
      if (value === undefined) continue;
      fields[field.name] = value;
    } catch (thrown) {
      throw within(field.name, thrown);
    }
  }
  return message.writtenInFull ? arrange(message, fields) : fields;
}

/** The reader keeps what it does not know; to apply the rest only would not be what was asked for. */
function refuseUnknownFields(message: MessageTable, decoded: object): void {
  const [unknown] = (decoded as { $unknowns?: readonly Uint8Array[] }).$unknowns ?? [];
  if (!unknown) return;
  const number = protobuf.Reader.create(unknown).uint32() >>> 3;
  const known = message.codec.fieldsById[number];
  throw known
    ? new FieldError("WRONG_TYPE", `the bytes are not of type ${known.type}`, known.name)
    : new FieldError("UNKNOWN_FIELD", `${message.name} has no field number ${number}`);
}

function fieldFromWire(field: FieldTable, value: unknown, any: AnyPacker, parent: object): unknown {
  const { type, shape } = field;
  if (shape === "single") {
    const single = valueFromWire(type, value, any, parent);
    return !field.presence && single === defaultOf(type) ? undefined : single;
  }
  const list = mapParts(shape, value, (part) => valueFromWire(type, part, any, parent));
  return Object.keys(list).length === 0 ? undefined : list;
}

function valueFromWire(type: FieldType, value: unknown, any: AnyPacker, parent: object): unknown {
  switch (type.kind) {
    case "scalar":
      return type.scalar.fromWire(value);
    case "enum":
      return enumName(type.enumeration, value);
    case "message":
      return fromWire(type.message, value as object, any);
    case "any":
      return any.unpackAny(value as PackedAny, parent);
  }
}

function toWire(message: MessageTable, canonical: object, any: AnyPacker): object {
  const source = canonical as Fields;
  const fields: Fields = {};
  for (const field of message.fields) {
    const value = source[field.name];
    if (value === undefined) continue;
    const { type, shape } = field;
    try {
      fields[field.name] =
        shape === "single"
          ? valueToWire(type, value, any, canonical)
          : mapParts(shape, value, (part) => valueToWire(type, part, any, canonical));
    } catch (thrown) {
      throw within(field.name, thrown);
    }
  }
  return fields;
}

function valueToWire(type: FieldType, value: unknown, any: AnyPacker, parent: object): unknown {
  switch (type.kind) {
    case "scalar":
      return type.scalar.toWire(value);
    case "enum":
      return type.enumeration.numbers.get(value as string);
    case "message":
      return toWire(type.message, value as object, any);
    case "any":
      return any.packAny(value as object, parent);
  }
}

/** A list or map whose parts are replaced. Errors name the part. */
function mapParts(shape: "list" | "map", value: unknown, replace: (part: unknown) => unknown): object {
  const replaceAt = (segment: string, part: unknown): unknown => {
    try {
      return replace(part);
    } catch (thrown) {
      throw within(segment, thrown);
    }
  };
  if (shape === "list") return (value as unknown[]).map((part, index) => replaceAt(`[${index}]`, part));
  const entries = Object.entries(value as Fields);
  return sortedObject(entries.map(([key, part]) => [key, replaceAt(`["${key}"]`, part)]));
}
