/** `{ [key]: value }`, or nothing when there is no value: an absent property is left out, not `undefined`. */
export function present<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: T });
}
