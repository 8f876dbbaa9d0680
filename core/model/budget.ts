import { FieldError } from "./field-error.js";

/** Objects and lists of one payload. A transaction of 64 MiB with half a million routes has a million. */
export const MAX_CONTAINERS = 2_000_000;
/** Values of any kind. */
const MAX_VALUES = 16_000_000;

/**
 * What one payload may make the agent build. Bytes say little about that: two of them can become an object that takes sixty. It is
 * spent while the bytes are looked at, before anything is built.
 */
export class Budget {
  private containers = MAX_CONTAINERS;
  private values = MAX_VALUES;

  /** Throws {@link FieldError} `TOO_LARGE` when there is not so much left. */
  spend(containers: number, values: number): void {
    this.containers -= containers;
    this.values -= values;
    if (this.containers < 0) throw tooLarge(`${MAX_CONTAINERS} objects and lists`);
    if (this.values < 0) throw tooLarge(`${MAX_VALUES} values`);
  }
}

function tooLarge(limit: string): FieldError {
  return new FieldError("TOO_LARGE", `more than ${limit} in one payload`);
}
