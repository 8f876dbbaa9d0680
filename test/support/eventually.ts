import { setTimeout as pause } from "node:timers/promises";

export interface EventuallyOptions {
  /** How long to wait in all, in milliseconds. Default two minutes: generous, since a test only waits that long when it fails. */
  readonly timeout?: number;
  /** What is being waited for, for the error message. */
  readonly what?: string;
}

const POLL_MS = 10;

/**
 * Waits for a condition: calls `probe` until it neither throws nor gives `undefined` or `false`, and returns what it gave.
 * After the deadline it throws an error that quotes the last failure. This is the only place in the tests that knows
 * time.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  { timeout = 120_000, what = "the condition" }: EventuallyOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + timeout;
  for (;;) {
    let last: unknown;
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
      last = `it was ${value}`;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const reason = last instanceof Error ? last.message : String(last);
      throw new Error(`waited ${timeout} ms for ${what}: ${reason}`, { cause: last });
    }
    await pause(POLL_MS);
  }
}
