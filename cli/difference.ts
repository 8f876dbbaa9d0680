import { isDeepStrictEqual } from "node:util";
import type { KeyValue } from "#client/types.js";

/** A field whose wanted value is not the one that was found. `undefined`: it is not there. */
export interface FieldDifference {
  /** Its path: `veth.peer_if_name`. */
  readonly field: string;
  readonly wanted: unknown;
  readonly found: unknown;
}

/** `missing`: wanted and not found. `extra`: found and not wanted. `different`: in these fields. */
export interface Difference {
  readonly key: string;
  readonly difference: "missing" | "extra" | "different";
  readonly fields: readonly FieldDifference[];
}

/**
 * What the fields of a value that nobody wrote down stand for. `default`: their default. `choice`: where they could
 * have held a number, a text or a message, whatever the system chose (a MAC address, an MTU); a yes or a list is still
 * not its to choose.
 */
export type Unwritten = "default" | "choice";

/** What is wanted against what was found, in key order. */
export function differences(
  wanted: readonly KeyValue[],
  found: readonly KeyValue[],
  unwritten: Unwritten,
): readonly Difference[] {
  const there = new Map(found.map(({ key, value }) => [key, value]));
  const asked = new Set(wanted.map(({ key }) => key));
  const fromWanted = wanted.map(({ key, value }) => compare(key, value, there.get(key), unwritten));
  const extra = found
    .filter(({ key }) => !asked.has(key))
    .map(({ key }): Difference => ({ key, difference: "extra", fields: [] }));
  return [...fromWanted.filter((one) => one !== undefined), ...extra].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The value with what was found in the fields that differ. */
export function asFound(value: object, fields: readonly FieldDifference[]): object {
  const changed = structuredClone(value) as Record<string, unknown>;
  for (const { field, found } of fields) setField(changed, field.split("."), found);
  return changed;
}

function setField(message: Record<string, unknown>, [name = "", ...rest]: readonly string[], value: unknown): void {
  const inner = message[name];
  if (rest.length > 0 && isMessage(inner)) setField(inner as Record<string, unknown>, rest, value);
  else if (value === undefined) delete message[name];
  else message[name] = value;
}

function compare(key: string, wanted: object, found: object | undefined, unwritten: Unwritten): Difference | undefined {
  if (found === undefined) return { key, difference: "missing", fields: [] };
  const fields = fieldDifferences(wanted, found, "", unwritten);
  return fields.length === 0 ? undefined : { key, difference: "different", fields };
}

function fieldDifferences(
  wanted: object,
  found: object,
  path: string,
  unwritten: Unwritten,
): readonly FieldDifference[] {
  const wantedFields = new Map<string, unknown>(Object.entries(wanted));
  const foundFields = new Map<string, unknown>(Object.entries(found));
  return [...new Set([...wantedFields.keys(), ...foundFields.keys()])].flatMap((name) => {
    const field = path + name;
    const one = wantedFields.get(name);
    const other = foundFields.get(name);
    if (isMessage(one) && isMessage(other)) return fieldDifferences(one, other, `${field}.`, unwritten);
    if (one === undefined && unwritten === "choice" && !(Array.isArray(other) || typeof other === "boolean")) return [];
    return same(one, other) ? [] : [{ field, wanted: one, found: other }];
  });
}

export function isMessage(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Repeated fields of the contract's values are sets: the kernel does not keep the order of addresses. */
function same(wanted: unknown, found: unknown): boolean {
  if (!Array.isArray(wanted) || !Array.isArray(found)) return isDeepStrictEqual(wanted, found);
  return isDeepStrictEqual(inOrder(wanted), inOrder(found));
}

function inOrder(items: readonly unknown[]): readonly string[] {
  return items.map((item) => JSON.stringify(item)).sort();
}
