/** Time, injected so that a test can own it. */
export interface Clock {
  /** ms since the epoch, to be told. It jumps when somebody sets the clock: never wait by it. */
  now(): number;
  /** ms that pass, since any beginning. */
  monotonic(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** The real one. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms).unref(),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};
