import type { InvalidField } from "#core/scheduler/api/scheduler.js";
import { canonicalAddress } from "#proto/index.js";

/** Checks that the types share. Each returns what is wrong with one field: nothing, or one entry. */
export type Problems = readonly InvalidField[];

/** @param field its path in the interface. */
export function checkRange(field: string, value: number | undefined, first: number, last: number): Problems {
  if (value === undefined || (value >= first && value <= last)) return [];
  return [{ field, problem: `is ${value}, expected ${first} to ${last}` }];
}

/** A number that must be given. */
export function checkNumber(field: string, value: number | undefined, first: number, last: number): Problems {
  if (value === undefined) return [{ field, problem: `is missing, expected ${first} to ${last}` }];
  return checkRange(field, value, first, last);
}

/** The logical name of another interface, which must be given. */
export function checkOther(field: string, name: string | undefined, self: string | undefined): Problems {
  if (!name) return [{ field, problem: "is missing, expected the name of an interface" }];
  return name === self ? [{ field, problem: `is "${name}", the interface itself` }] : [];
}

export function checkAddress(field: string, text: string | undefined): Problems {
  if (!text || canonicalAddress(text) !== undefined) return [];
  return [{ field, problem: `is "${text}", expected an address such as 192.0.2.1 or 2001:db8::1` }];
}

/** Two addresses of one family, where both are given. */
export function checkSameFamily(field: string, text: string | undefined, other: string | undefined): Problems {
  if (!text || !other || text.includes(":") === other.includes(":")) return [];
  return [{ field, problem: `is ${text}, of another address family than ${other}` }];
}

/** Is it one that a group of hosts listens to? */
export function isMulticast(text: string | undefined): boolean {
  if (!text) return false;
  return text.includes(":") ? /^ff/i.test(text) : /^2(2[4-9]|3\d)\./.test(text);
}
