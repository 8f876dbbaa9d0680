import type { Slices } from "../slices.js";
import { FieldError, shown, within } from "./field-error.js";
import { defaultOf, type EnumTable, type FieldTable, type FieldType, type MessageTable } from "./schema.js";
import { suggestion } from "./suggestion.js";

/** A canonical value while it is being made. */
export type Fields = Record<string, unknown>;

/** How `google.protobuf.Any` is read: its content depends on what stands beside it. */
export interface AnyReader {
  /** `parent` is the message that holds it, as it came. */
  anyFromJson(input: unknown, parent: object): object;
}

/**
 * The canonical form of a message given as parsed JSON: field names in `snake_case` and in the order of their numbers,
 * enums by name, 64-bit integers as strings, bytes as base64, fields with their default value left out (except in
 * messages that are written in full). `null` is the same as a field that is not there.
 *
 * Throws {@link FieldError} for everything that the message does not allow.
 */
export function canonicalMessage(message: MessageTable, input: unknown, any: AnyReader): object {
  if (!isPlainObject(input)) throw new FieldError("WRONG_TYPE", `expected an object, got ${shown(input)}`);
  const fields: Fields = {};
  let oneofs: Map<string, string> | undefined;
  let position = -1;
  let inOrder = true;
  let name = "";
  try {
    for (name of Object.keys(input)) {
      const field = message.byName.get(name) ?? unknownField(message, name);
      const given = input[name];
      if (given === null || given === undefined) continue;
      if (name !== field.name && input[field.name] != null) {
        throw new FieldError("DUPLICATE_FIELD", `is given twice: ${name} is the same field as ${field.name}`);
      }
      const value = canonicalField(field, given, any, input);
      if (value === undefined) continue;
      if (field.oneof !== undefined) {
        oneofs ??= new Map();
        takeOneof(oneofs, field.oneof, field.name);
      }
      fields[field.name] = value;
      inOrder &&= field.position > position;
      position = field.position;
    }
  } catch (thrown) {
    throw within(message.byName.get(name)?.name ?? name, thrown);
  }
  return inOrder && !message.writtenInFull ? fields : arrange(message, fields);
}

/** Puts fields in canonical order, and fills in defaults where the message is written in full. */
export function arrange(message: MessageTable, fields: Fields): Fields {
  const arranged: Fields = {};
  for (const field of message.fields) {
    const value = fields[field.name] ?? (message.writtenInFull ? emptyField(field) : undefined);
    if (value !== undefined) arranged[field.name] = value;
  }
  return arranged;
}

function emptyField(field: FieldTable): unknown {
  if (field.presence) return undefined;
  if (field.shape === "list") return [];
  return field.shape === "map" ? {} : defaultOf(field.type);
}

/** Notes that a member of a oneof is set. Throws when another one is. */
function takeOneof(oneofs: Map<string, string>, oneof: string, field: string): void {
  const other = oneofs.get(oneof);
  if (other !== undefined)
    throw new FieldError("ONEOF_CONFLICT", `${other} is given too, and only one ${oneof} may be`);
  oneofs.set(oneof, field);
}

/** `undefined` for a default that is left out. */
function canonicalField(field: FieldTable, input: unknown, any: AnyReader, parent: object): unknown {
  switch (field.shape) {
    case "list":
      return canonicalList(field.type, input, any, parent);
    case "map":
      return canonicalMap(field, input, any, parent);
    case "single": {
      const value = canonicalValue(field.type, input, any, parent);
      return !field.presence && value === defaultOf(field.type) ? undefined : value;
    }
  }
}

function canonicalList(type: FieldType, input: unknown, any: AnyReader, parent: object): unknown {
  if (!Array.isArray(input)) throw new FieldError("WRONG_TYPE", `expected a list, got ${shown(input)}`);
  let index = 0;
  try {
    const list: unknown[] = [];
    for (; index < input.length; index++) list.push(canonicalValue(type, input[index], any, parent));
    return list.length === 0 ? undefined : list;
  } catch (thrown) {
    throw within(`[${index}]`, thrown);
  }
}

/**
 * The canonical form of the same message, some entries of its long lists at a time. For messages whose lists are what is long in
 * them.
 */
export async function canonicalInSlices(
  message: MessageTable,
  input: unknown,
  any: AnyReader,
  slices: Slices,
): Promise<object> {
  if (!isPlainObject(input)) return canonicalMessage(message, input, any);
  const long = Object.keys(input).filter((name) => isLong(message.byName.get(name), input[name]));
  if (long.length === 0) return canonicalMessage(message, input, any);
  const fields: Fields = { ...canonicalMessage(message, emptied(input, long), any) };
  for (const name of long) {
    const field = message.byName.get(name);
    if (field === undefined) continue;
    fields[field.name] = await listInSlices(field, input[name] as readonly unknown[], any, input, slices);
  }
  return arrange(message, fields);
}

/** Entries of a list that are read at once. */
const SOME = 64;

function isLong(field: FieldTable | undefined, value: unknown): boolean {
  return field?.shape === "list" && Array.isArray(value) && value.length > SOME;
}

function emptied(input: Fields, names: readonly string[]): Fields {
  return { ...input, ...Object.fromEntries(names.map((name) => [name, []])) };
}

async function listInSlices(
  field: FieldTable,
  input: readonly unknown[],
  any: AnyReader,
  parent: object,
  slices: Slices,
): Promise<unknown[]> {
  const list: unknown[] = [];
  try {
    for (let index = 0; index < input.length; index++) {
      if (index % SOME === 0 && slices.isOver) await slices.next();
      list.push(canonicalValue(field.type, input[index], any, parent));
    }
    return list;
  } catch (thrown) {
    throw within(field.name, within(`[${list.length}]`, thrown));
  }
}

function canonicalMap(field: FieldTable, input: unknown, any: AnyReader, parent: object): unknown {
  if (!isPlainObject(input)) throw new FieldError("WRONG_TYPE", `expected an object, got ${shown(input)}`);
  const entries = new Map<string, unknown>();
  for (const [key, value] of Object.entries(input)) {
    try {
      const canonicalKey = String(field.mapKey?.fromJson(key));
      if (entries.has(canonicalKey)) throw new FieldError("DUPLICATE_FIELD", `${canonicalKey} is given twice`);
      entries.set(canonicalKey, canonicalValue(field.type, value, any, parent));
    } catch (thrown) {
      throw within(`[${shown(key)}]`, thrown);
    }
  }
  return entries.size === 0 ? undefined : sortedObject(entries);
}

/** Sorted, so that equal maps look equal; made in a way that a key `__proto__` is a key like any other. */
export function sortedObject(entries: Iterable<[string, unknown]>): object {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function canonicalValue(type: FieldType, input: unknown, any: AnyReader, parent: object): unknown {
  switch (type.kind) {
    case "scalar":
      return type.scalar.fromJson(input);
    case "enum":
      return enumName(type.enumeration, input);
    case "message":
      return canonicalMessage(type.message, input, any);
    case "any":
      return any.anyFromJson(input, parent);
  }
}

/** The name to write for an enum value given by name, alias or number. */
export function enumName({ numbers, names }: EnumTable, input: unknown): string {
  const number = typeof input === "string" ? numbers.get(input) : input;
  const name = typeof number === "number" ? names.get(number) : undefined;
  if (name !== undefined) return name;
  const hint = typeof input === "string" ? suggestion(input, numbers.keys()) : "";
  throw new FieldError("UNKNOWN_ENUM_VALUE", `${shown(input)} is not one of ${[...names.values()].join(", ")}${hint}`);
}

function unknownField(message: MessageTable, name: string): never {
  const known = message.fields.map((field) => field.name);
  const shortName = message.name.slice(message.name.lastIndexOf(".") + 1);
  const hint = suggestion(name, known) || `; it has ${known.join(", ")}`;
  throw new FieldError("UNKNOWN_FIELD", `no such field in ${shortName}${hint}`);
}

function isPlainObject(input: unknown): input is Fields {
  return typeof input === "object" && input !== null && !Array.isArray(input) && !ArrayBuffer.isView(input);
}
