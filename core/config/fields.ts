import { z } from "zod";

/** Something of a zod schema tree. */
export type FieldSchema = z.core.$ZodType;

/** The schema below its defaults, optional marks and transformations: what a configuration has to be written as. */
export function written(schema: FieldSchema): FieldSchema {
  let inner = schema;
  for (;;) {
    if (
      inner instanceof z.ZodDefault ||
      inner instanceof z.ZodPrefault ||
      inner instanceof z.ZodOptional ||
      inner instanceof z.ZodNullable ||
      inner instanceof z.ZodNonOptional ||
      inner instanceof z.ZodCatch ||
      inner instanceof z.ZodReadonly
    ) {
      inner = inner.def.innerType;
    } else if (inner instanceof z.ZodPipe) {
      inner = inner.def.in;
    } else if (inner instanceof z.ZodLazy) {
      inner = inner.def.getter();
    } else {
      return inner;
    }
  }
}

/** The fields right below a schema; `undefined` for what is no object. */
function fieldsOf(schema: FieldSchema): Readonly<Record<string, FieldSchema>> | undefined {
  const object = written(schema);
  return object instanceof z.ZodObject ? object.shape : undefined;
}

/** Names of the fields right below a schema, or one of its alternatives; empty for what is no object. */
export function fieldNames(schema: FieldSchema): readonly string[] {
  return [schema, ...alternativesOf(schema)].flatMap((one) => Object.keys(fieldsOf(one) ?? {}));
}

/** The schema right below `schema`, or one of its alternatives, under `name`; a record has every name. */
export function childOf(schema: FieldSchema, name: string): FieldSchema | undefined {
  const fields = fieldsOf(schema);
  if (fields !== undefined) return Object.hasOwn(fields, name) ? fields[name] : undefined;
  const parent = written(schema);
  if (parent instanceof z.ZodRecord) return parent.def.valueType;
  if (parent instanceof z.ZodArray) return /^\d+$/.test(name) ? parent.def.element : undefined;
  return alternativesOf(schema)
    .map((one) => childOf(one, name))
    .find((child) => child !== undefined);
}

/** What a value may be instead; empty for what is no union. */
export function alternativesOf(schema: FieldSchema): readonly FieldSchema[] {
  const union = written(schema);
  return union instanceof z.ZodUnion ? union.def.options : [];
}

/** Every field below a schema that is not an object itself, as path and schema. */
export function leaves(schema: FieldSchema, path: readonly string[] = []): readonly [readonly string[], FieldSchema][] {
  const fields = fieldsOf(schema);
  if (fields === undefined) return [[path, schema]];
  return Object.entries(fields).flatMap(([name, child]) => leaves(child, [...path, name]));
}

/**
 * The value that a text stands for, where only text can be given (environment, command line): the text itself when the
 * schema takes it, else JSON, else a list with commas. What fits nothing is returned as read, for the schema to refuse.
 */
export function parseText(schema: FieldSchema, text: string): unknown {
  if (z.safeParse(schema, text).success) return text;
  const parsed = parseJson(text);
  if (parsed !== undefined && z.safeParse(schema, parsed).success) return parsed;
  const list = written(schema);
  if (list instanceof z.ZodArray && !Array.isArray(parsed)) {
    const parts = text === "" ? [] : text.split(",");
    return parts.map((part) => parseText(list.def.element, part.trim()));
  }
  return parsed ?? text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
