import { isDeepStrictEqual } from "node:util";
import type { Configurations } from "./machine.js";

/** The values that belong to one interface, by key. */
export type InterfaceConfiguration = ReadonlyMap<string, object>;

const NOTHING: InterfaceConfiguration = new Map();

export const interfaceConfigurations: Configurations<InterfaceConfiguration> = {
  empty: NOTHING,
  equal: (a, b) => a === b || (a.size === b.size && [...a].every(([key, value]) => sameValue(value, b.get(key)))),
};

/** What leads from one configuration to another; a key that goes has `undefined`. */
export function differences(
  from: InterfaceConfiguration,
  to: InterfaceConfiguration,
): ReadonlyMap<string, object | undefined> {
  const changes = new Map<string, object | undefined>();
  for (const key of from.keys()) if (!to.has(key)) changes.set(key, undefined);
  for (const [key, value] of to) if (!sameValue(value, from.get(key))) changes.set(key, value);
  return changes;
}

/** Most values are the very same object: nothing has touched them. */
function sameValue(a: object, b: object | undefined): boolean {
  return a === b || isDeepStrictEqual(a, b);
}
