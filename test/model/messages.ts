import fc from "fast-check";
import protobuf from "protobufjs";
import { descriptor } from "#proto/generated/descriptor.js";
import { sampleModel } from "./registries.js";

/** Every message there is, and one with every kind of field. */
export const root = protobuf.Root.fromJSON(descriptor);
root.addJSON(sampleModel.descriptor?.nested ?? {});
root.resolveAll();

function* below(namespace: protobuf.NamespaceBase): Generator<protobuf.Type> {
  for (const nested of namespace.nestedArray) {
    if (nested instanceof protobuf.Type) yield nested;
    if (nested instanceof protobuf.Namespace) yield* below(nested);
  }
}

export const messages: readonly protobuf.Type[] = [...below(root)].filter(
  ({ fullName }) => !fullName.startsWith(".google"),
);

const int32 = fc.integer();
const uint32 = fc.nat({ max: 2 ** 32 - 1 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const base64 = fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const text = fc.string({ unit: "binary", maxLength: 8 });

const scalars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: text,
  bool: fc.boolean(),
  bytes: base64,
  double: fc.double().map((number) => (Number.isFinite(number) ? number : String(number))),
  float: fc.float().map((number) => (Number.isFinite(number) ? number : String(number))),
  int32: fc.oneof(int32, int32.map(String)),
  uint32: fc.oneof(uint32, uint32.map(String)),
  int64: fc.oneof(int64, fc.maxSafeInteger()),
  uint64: fc.oneof(uint64, fc.maxSafeNat()),
};

const mapKeys: Readonly<Record<string, fc.Arbitrary<string>>> = {
  string: text,
  int32: int32.map(String),
  uint32: uint32.map(String),
};

const jsonObject = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.jsonValue({ maxDepth: 2 })).map(
  // As it is after a trip through JSON text, which knows no -0.
  (value) => JSON.parse(JSON.stringify(value)) as object,
);

function valueArbitrary(
  type: string,
  resolved: protobuf.ReflectionObject | null,
  depth: number,
): fc.Arbitrary<unknown> {
  if (resolved instanceof protobuf.Enum) {
    return fc.constantFrom<unknown>(...Object.keys(resolved.values), ...Object.values(resolved.values));
  }
  if (resolved instanceof protobuf.Type) {
    return resolved.fullName === ".google.protobuf.Any" ? jsonObject : messageArbitrary(resolved, depth - 1);
  }
  return scalars[type]!;
}

function fieldArbitrary(field: protobuf.Field, depth: number): fc.Arbitrary<unknown> {
  const value = valueArbitrary(field.type, field.resolvedType, depth);
  if (field instanceof protobuf.MapField) {
    return fc.dictionary(mapKeys[field.keyType]!, value, { maxKeys: 3 });
  }
  return field.repeated ? fc.array(value, { maxLength: 3 }) : value;
}

/** JSON of a message in any spelling that is accepted, with at most one member of each oneof. */
export function messageArbitrary(type: protobuf.Type, depth = 4): fc.Arbitrary<object> {
  const isLeaf = (field: protobuf.Field): boolean => !(field.resolvedType instanceof protobuf.Type);
  const fields = type.fieldsArray.filter((field) => (depth > 0 && field.name !== "extra") || isLeaf(field));
  const record = fc.record(Object.fromEntries(fields.map((field) => [field.name, fieldArbitrary(field, depth)])), {
    requiredKeys: fields.filter(({ name }) => name === "key").map(({ name }) => name),
  });
  return fc.tuple(record, fc.boolean(), fc.nat()).map(([value, camelCase, choice]) => {
    const kept = fields.filter(({ name, partOf }) => {
      const members = partOf?.fieldsArray.filter((member) => member.name in value) ?? [];
      return name in value && (members.length < 2 || members[choice % members.length]?.name === name);
    });
    return Object.fromEntries(kept.map(({ name, jsonName }) => [camelCase ? jsonName : name, value[name]]));
  });
}
