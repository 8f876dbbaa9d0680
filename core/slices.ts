import { setImmediate } from "node:timers/promises";

/** So long work keeps the event loop for itself, ms. */
const SLICE = 10;

/** Long work in slices, between which everybody else gets a turn: probes, timers, other requests. */
export class Slices {
  #end = performance.now() + SLICE;

  /** Is it somebody else's turn? Asking costs about as much as decoding a number. */
  get isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** Lets everybody else have theirs. */
  async next(): Promise<void> {
    await setImmediate();
    this.#end = performance.now() + SLICE;
  }
}
