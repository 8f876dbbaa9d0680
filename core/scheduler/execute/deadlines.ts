import type { Clock } from "../api/clock.js";

/** Deadlines of equal length, so that the oldest ends first and one timer is enough. Lengths in ms. */
export class Deadlines {
  /** Whom they are for, and when each ends, in that order; those before `first` are over. */
  private readonly ids: number[] = [];
  private readonly ends: number[] = [];
  private first = 0;
  private timer: unknown;

  constructor(
    private readonly clock: Clock,
    private readonly length: number,
    /** Is it still waited for? */
    private readonly isPending: (id: number) => boolean,
    private readonly expire: (id: number) => void,
  ) {}

  add(id: number): void {
    this.ids.push(id);
    this.ends.push(this.clock.monotonic() + this.length);
    if (this.timer === undefined) this.arm(this.length);
  }

  stop(): void {
    this.first = this.ids.length;
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }

  private arm(delay: number): void {
    this.timer = this.clock.setTimeout(() => this.check(), delay);
  }

  private check(): void {
    this.timer = undefined;
    const now = this.clock.monotonic();
    for (; this.first < this.ids.length; this.first++) {
      const id = this.ids[this.first] ?? -1;
      if (!this.isPending(id)) continue;
      const end = this.ends[this.first] ?? 0;
      if (end > now) {
        this.arm(end - now);
        return;
      }
      this.expire(id);
    }
  }
}
