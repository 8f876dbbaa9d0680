import { z } from "zod";
import { childOf, type FieldSchema, written } from "./fields.js";

export const MASK = "***";

const SECRET_NAME = /(^|_)(password|passphrase|secret|token|seed|nkey|jwt|private_key|api_key|credentials)$/i;
const URL_USER_INFO = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;

/** A field is secret when its name says so, or its schema: `z.string().meta({ secret: true })`. */
export function isSecret(name: string, schema: FieldSchema | undefined): boolean {
  return SECRET_NAME.test(name) || (schema !== undefined && (hasSecretMark(schema) || hasSecretMark(written(schema))));
}

/** A copy of a section that can be shown: secrets replaced, user and password of URLs too. Empty secrets stay empty. */
export function masked(value: unknown, schema: FieldSchema | undefined, name = ""): unknown {
  if (isSecret(name, schema)) return value === undefined || value === "" ? value : MASK;
  if (typeof value === "string") return value.replace(URL_USER_INFO, `$1${MASK}@`);
  const below = (key: string): FieldSchema | undefined => (schema === undefined ? undefined : childOf(schema, key));
  if (Array.isArray(value)) return value.map((item, index) => masked(item, below(String(index))));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item, below(key), key)]));
}

function hasSecretMark(schema: FieldSchema): boolean {
  return z.globalRegistry.get(schema)?.secret === true;
}
