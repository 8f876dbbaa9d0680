import protobuf from "protobufjs";
import { descriptor } from "#proto/generated/descriptor.js";

/** The part of JSON Schema that draft 7 (AsyncAPI) and 2020-12 (OpenAPI) have in common. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const NUMBERS: Readonly<Record<string, JsonSchema>> = {
  int32: { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
  sint32: { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
  sfixed32: { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 },
  uint32: { type: "integer", minimum: 0, maximum: 2 ** 32 - 1 },
  fixed32: { type: "integer", minimum: 0, maximum: 2 ** 32 - 1 },
  float: { type: "number" },
  double: { type: "number" },
  int64: { type: "string", pattern: "^-?[0-9]{1,19}$" },
  sint64: { type: "string", pattern: "^-?[0-9]{1,19}$" },
  sfixed64: { type: "string", pattern: "^-?[0-9]{1,19}$" },
  uint64: { type: "string", pattern: "^[0-9]{1,20}$" },
  fixed64: { type: "string", pattern: "^[0-9]{1,20}$" },
};

const SCALARS: Readonly<Record<string, JsonSchema>> = {
  ...NUMBERS,
  string: { type: "string" },
  bool: { type: "boolean" },
  bytes: { type: "string", contentEncoding: "base64" },
};

/** The type that stands for a value under a key. */
const ANY = "google.protobuf.Any";

export function refTo(message: string): JsonSchema {
  return { $ref: `#/components/schemas/${message}` };
}

export interface SchemaOptions {
  /** Where the messages are defined, resolved. With comments, these are the descriptions. Default: Tenuto's own, without comments. */
  readonly root?: protobuf.Namespace;
  /** What a reference to a message is. */
  readonly ref?: (message: string) => JsonSchema;
  /** Fields that a message does not have are wrong. */
  readonly closed?: boolean;
}

/**
 * JSON Schemas of protobuf messages, and of what they use, by full name: as the agent writes them, that is in
 * `snake_case`, enums by name, 64-bit integers as strings. Names that no message has are left out.
 */
export function messageSchemas(
  names: Iterable<string>,
  { root = protobuf.Root.fromJSON(descriptor).resolveAll(), ref = refTo, closed = false }: SchemaOptions = {},
): Readonly<Record<string, JsonSchema>> {
  const found = new Map<string, JsonSchema>();
  const waiting = [...names];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const type = found.has(name) ? null : root.lookup(name, [protobuf.Type]);
    if (!(type instanceof protobuf.Type)) continue;
    const fields = type.fieldsArray.map((field) => field.resolve());
    found.set(name, {
      type: "object",
      ...described(type.comment),
      properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field, ref)])),
      ...(closed ? { additionalProperties: false } : {}),
    });
    for (const { resolvedType } of fields) {
      if (resolvedType instanceof protobuf.Type) waiting.push(fullName(resolvedType));
    }
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

type Ref = (message: string) => JsonSchema;

function fieldSchema(field: protobuf.Field, ref: Ref): JsonSchema {
  const one = valueSchema(field, ref);
  if (field instanceof protobuf.MapField) {
    return { type: "object", ...described(field.comment), additionalProperties: one };
  }
  return field.repeated
    ? { type: "array", ...described(field.comment), items: one }
    : { ...one, ...described(field.comment) };
}

function described(comment: string | null): JsonSchema {
  return comment ? { description: comment.replace(/\s+/g, " ") } : {};
}

function valueSchema({ type, resolvedType }: protobuf.Field, ref: Ref): JsonSchema {
  if (resolvedType instanceof protobuf.Enum) return { type: "string", enum: Object.keys(resolvedType.values) };
  if (resolvedType === null) {
    return type === ANY
      ? { type: "object", description: "The message that the key stands for." }
      : (SCALARS[type] ?? {});
  }
  const name = fullName(resolvedType);
  return name === ANY ? { type: "object", description: "The message that the key stands for." } : ref(name);
}

function fullName(type: protobuf.ReflectionObject): string {
  return type.fullName.replace(/^\./, "");
}
