import type { Clock } from "#core/scheduler/index.js";

/** Time that passes only when the test says so. */
export class FakeClock implements Clock {
  private time = 1_000_000;
  private offset = 1_000_000_000;
  private timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.time + this.offset;
  }

  monotonic(): number {
    return this.time;
  }

  /** Somebody sets the clock: no time passes. */
  jump(ms: number): void {
    this.offset += ms;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    const timer = { at: this.time + ms, callback };
    this.timers.push(timer);
    return timer;
  }

  clearTimeout(handle: unknown): void {
    this.timers = this.timers.filter((each) => each !== handle);
  }

  get pending(): number {
    return this.timers.length;
  }

  /** Lets time pass, and runs what falls due on the way, in order. */
  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.time = next.at;
      this.timers = this.timers.filter((each) => each !== next);
      next.callback();
    }
    this.time = end;
  }
}
