import { InvalidInputError } from "#core/errors.js";

/** An argument of a query, the first of its name, `undefined` when it was left out. */
export function argument(query: URLSearchParams, name: string): string | undefined {
  return query.get(name) ?? undefined;
}

/** A numeric query argument, `undefined` when it was left out. */
export function numberArgument(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number) && number >= 0) return number;
  throw new InvalidInputError("BAD_ARGUMENT", `${name} is "${text}"; expected a number`, { field: name });
}

/** Unix times are told apart by their size: what would be later than the year 5000 in seconds is in a smaller unit. */
const UNITS = [
  { from: 1e17, perMillisecond: 1e6 },
  { from: 1e11, perMillisecond: 1 },
  { from: 0, perMillisecond: 1e-3 },
];

/**
 * A time as ms since the epoch, `undefined` when it was left out: Unix seconds, milliseconds or (Ligato has both)
 * nanoseconds, or RFC 3339.
 */
export function timeArgument(text: string | undefined, name: string): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) {
    const number = Number(text);
    const unit = UNITS.find(({ from }) => number >= from);
    return Math.round(number / (unit?.perMillisecond ?? 1));
  }
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new InvalidInputError("BAD_ARGUMENT", `${name} is "${text}"; expected a Unix time or RFC 3339`, {
    field: name,
  });
}

/** A query argument that is one of a few words. */
export function oneOf<const W extends string>(text: string, words: readonly W[], name: string): W {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new InvalidInputError("BAD_ARGUMENT", `${name} is "${text}"; expected one of ${words.join(", ")}`, {
    field: name,
  });
}

/** A yes/no query argument: `?downstream`, `?downstream=true`, `?downstream=0`. */
export function flagArgument(text: string | undefined, name: string): boolean {
  if (text === undefined) return false;
  return ["", "1", "true"].includes(oneOf(text, ["", "1", "true", "0", "false"], name));
}
