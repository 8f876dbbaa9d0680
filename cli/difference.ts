import { isDeepStrictEqual } from "node:util";
import type { KeyValue } from "#client/types.js";

/** A field whose desired value is not the one that was found. `undefined`: it is not there. */
export interface FieldDifference {
  /** Its path: `veth.peer_if_name`. */
  readonly field: string;
  readonly desired: unknown;
  readonly found: unknown;
}

/** `missing`: desired and not found. `extra`: found and not desired. `different`: in these fields. */
export interface ValueDifference {
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

/** What is desired against what was found, in key order. */
export function differences(
  desired: readonly KeyValue[],
  found: readonly KeyValue[],
  unwritten: Unwritten,
): readonly ValueDifference[] {
  const there = new Map(found.map(({ key, value }) => [key, value]));
  const asked = new Set(desired.map(({ key }) => key));
  const fromDesired = desired.map(({ key, value }) => compare(key, value, there.get(key), unwritten));
  const extra = found
    .filter(({ key }) => !asked.has(key))
    .map(({ key }): ValueDifference => ({ key, difference: "extra", fields: [] }));
  return [...fromDesired.filter((one) => one !== undefined), ...extra].sort((a, b) => (a.key < b.key ? -1 : 1));
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

function compare(
  key: string,
  desired: object,
  found: object | undefined,
  unwritten: Unwritten,
): ValueDifference | undefined {
  if (found === undefined) return { key, difference: "missing", fields: [] };
  const fields = fieldDifferences(desired, found, "", unwritten);
  return fields.length === 0 ? undefined : { key, difference: "different", fields };
}

function fieldDifferences(
  desired: object,
  found: object,
  path: string,
  unwritten: Unwritten,
): readonly FieldDifference[] {
  const desiredFields = new Map<string, unknown>(Object.entries(desired));
  const foundFields = new Map<string, unknown>(Object.entries(found));
  return [...new Set([...desiredFields.keys(), ...foundFields.keys()])].flatMap((name) => {
    const field = path + name;
    const one = desiredFields.get(name);
    const other = foundFields.get(name);
    if (isMessage(one) && isMessage(other)) return fieldDifferences(one, other, `${field}.`, unwritten);
    if (one === undefined && unwritten === "choice" && !(Array.isArray(other) || typeof other === "boolean")) return [];
    return same(one, other) ? [] : [{ field, desired: one, found: other }];
  });
}

export function isMessage(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Repeated fields of the contract's values are sets: the kernel does not keep the order of addresses. */
function same(desired: unknown, found: unknown): boolean {
  if (!Array.isArray(desired) || !Array.isArray(found)) return isDeepStrictEqual(desired, found);
  return isDeepStrictEqual(inOrder(desired), inOrder(found));
}

function inOrder(items: readonly unknown[]): readonly string[] {
  return items.map((item) => JSON.stringify(item)).sort();
}
