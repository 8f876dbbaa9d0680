/** A set that is mostly empty or holds one thing, and then takes no more than a reference. The things are no sets themselves. */
export type Few<T extends object> = T | Set<T> | undefined;

export function withOne<T extends object>(few: Few<T>, one: T): Few<T> {
  if (few === undefined || few === one) return one;
  return few instanceof Set ? few.add(one) : new Set([few, one]);
}

export function withoutOne<T extends object>(few: Few<T>, one: T): Few<T> {
  if (!(few instanceof Set)) return few === one ? undefined : few;
  few.delete(one);
  return few.size === 0 ? undefined : few;
}

export function each<T extends object>(few: Few<T>): Iterable<T> {
  if (few === undefined) return [];
  return few instanceof Set ? few : [few];
}
