import { setTimeout as delay } from "node:timers/promises";

/** Waits `ms`, or until `signal` aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/**
 * Pauses that double from `min` to `max` ms. Each is shortened by up to half at random, so that a thousand agents whose
 * broker came back do not return in the same instant.
 */
export class Backoff {
  private readonly min: number;
  private readonly max: number;
  private readonly random: () => number;
  private nextDelay: number;

  constructor(min: number, max: number, random: () => number = Math.random) {
    this.min = min;
    this.max = Math.max(min, max);
    this.random = random;
    this.nextDelay = min;
  }

  /** The next pause, ms. */
  next(): number {
    const whole = this.nextDelay;
    this.nextDelay = Math.min(whole * 2, this.max);
    return Math.ceil(whole * (1 - this.random() / 2));
  }

  reset(): void {
    this.nextDelay = this.min;
  }

  async wait(signal: AbortSignal): Promise<void> {
    await pause(this.next(), signal);
  }
}
