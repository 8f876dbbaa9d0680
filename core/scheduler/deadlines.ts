import type { Clock } from "./clock.js";

/** Deadlines of equal length, so that the oldest ends first and one timer is enough. Lengths in ms. */
export class Deadlines {
  /** When each ends, in that order. */
  private readonly waiting = new Map<number, number>();
  private timer: unknown;

  constructor(
    private readonly clock: Clock,
    private readonly length: number,
    private readonly expire: (id: number) => void,
  ) {}

  add(id: number): void {
    this.waiting.set(id, this.clock.now() + this.length);
    if (this.timer === undefined) this.arm(this.length);
  }

  cancel(id: number): void {
    this.waiting.delete(id);
  }

  stop(): void {
    this.waiting.clear();
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }

  private arm(delay: number): void {
    this.timer = this.clock.setTimeout(() => this.check(), delay);
  }

  private check(): void {
    this.timer = undefined;
    const now = this.clock.now();
    for (const [id, at] of this.waiting) {
      if (at > now) {
        this.arm(at - now);
        return;
      }
      this.waiting.delete(id);
      this.expire(id);
    }
  }
}
