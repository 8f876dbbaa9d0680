import { setImmediate } from "node:timers/promises";

/** So long work keeps the event loop for itself, ms. */
const SLICE = 10;
/** So many steps of a loop are made between two looks at the clock; a power of two. */
const STEPS = 64;

/** Long work in slices, between which everybody else gets a turn: probes, timers, other requests. */
export class Slices {
  private end = performance.now() + SLICE;
  private steps = 0;

  /** Is it somebody else's turn? Asking costs about as much as decoding a number. */
  get isOver(): boolean {
    return performance.now() >= this.end;
  }

  /** The same, for a loop whose steps are small: the clock is looked at now and then. Never true within the first steps. */
  get isDue(): boolean {
    this.steps += 1;
    return this.steps % STEPS === 0 && this.isOver;
  }

  /** Has a loop come so far that the work is large? What is small is done in one go, however busy the machine is. */
  get hasBegun(): boolean {
    return this.steps >= STEPS;
  }

  /** Lets everybody else have theirs. */
  async next(): Promise<void> {
    await setImmediate();
    this.end = performance.now() + SLICE;
  }
}

/** So many things are worked on in no time. */
const FEW = 1_000;

/** Between two steps of work on so many things: lets everybody else have a turn, unless they are few. */
export async function turnBetween(count: number): Promise<void> {
  if (count > FEW) await setImmediate();
}
