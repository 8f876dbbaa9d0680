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

/**
 * JSON Schemas of protobuf messages, and of what they use, by full name: as the agent writes them, that is in
 * `snake_case`, enums by name, 64-bit integers as strings. Names that no message has are left out.
 */
export function messageSchemas(names: Iterable<string>): Readonly<Record<string, JsonSchema>> {
  const root = protobuf.Root.fromJSON(descriptor).resolveAll();
  const found = new Map<string, JsonSchema>();
  const waiting = [...names];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const type = found.has(name) ? null : root.lookup(name, [protobuf.Type]);
    if (!(type instanceof protobuf.Type)) continue;
    const fields = type.fieldsArray.map((field) => field.resolve());
    found.set(name, {
      type: "object",
      properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field)])),
    });
    for (const { resolvedType } of fields) {
      if (resolvedType instanceof protobuf.Type) waiting.push(fullName(resolvedType));
    }
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function fieldSchema(field: protobuf.Field): JsonSchema {
  const one = valueSchema(field);
  if (field instanceof protobuf.MapField) return { type: "object", additionalProperties: one };
  return field.repeated ? { type: "array", items: one } : one;
}

function valueSchema({ type, resolvedType }: protobuf.Field): JsonSchema {
  if (resolvedType instanceof protobuf.Enum) return { type: "string", enum: Object.keys(resolvedType.values) };
  if (resolvedType === null) {
    return type === ANY
      ? { type: "object", description: "The message that the key stands for." }
      : (SCALARS[type] ?? {});
  }
  const name = fullName(resolvedType);
  return name === ANY ? { type: "object", description: "The message that the key stands for." } : refTo(name);
}

function fullName(type: protobuf.ReflectionObject): string {
  return type.fullName.replace(/^\./, "");
}
