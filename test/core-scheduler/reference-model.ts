import { type Thing, withoutParts } from "./southbound.js";

/**
 * What should be below, worked out the slow and obvious way: start with nothing, and add every desired value whose needs are there,
 * until nothing can be added.
 */
export function expectedSouthbound(
  desired: ReadonlyMap<string, Thing>,
  obtained: ReadonlySet<string>,
): Map<string, Thing> {
  const all = new Map<string, Thing>();
  for (const [key, value] of desired) unfold(key, value, all);
  const below = new Map<string, Thing>();
  for (let before = -1; before !== below.size; ) {
    before = below.size;
    for (const [key, value] of all) {
      if (!below.has(key) && isPossible(key, value, below, obtained)) below.set(key, withoutParts(value));
    }
  }
  return below;
}

function unfold(key: string, value: Thing, all: Map<string, Thing>): void {
  all.set(key, value);
  for (const [name, part] of Object.entries(value.parts ?? {})) unfold(`${key}#${name}`, part, all);
}

function isPossible(
  key: string,
  value: Thing,
  below: ReadonlyMap<string, Thing>,
  obtained: ReadonlySet<string>,
): boolean {
  const there = (need: string): boolean => below.has(need) || obtained.has(need);
  const base = key.includes("#") ? key.slice(0, key.lastIndexOf("#")) : undefined;
  return (
    (base === undefined || below.has(base)) &&
    (value.needs ?? []).every(there) &&
    (value.needsAny ?? []).every((prefix) =>
      [...below.keys(), ...obtained].some((other) => other !== key && other.startsWith(prefix)),
    )
  );
}
