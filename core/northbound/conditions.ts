import type { HealthReporter } from "../health/types.js";

/**
 * The health of a bus plugin, made of its parts: ok when no part has anything to complain about, else degraded with all
 * their reasons, in the order they came up. A reason that several parts share is said once, and while the part that all
 * others stand on is impaired, its reason is the only one that counts.
 */
export class Conditions<Part extends string> {
  private readonly health: HealthReporter;
  private readonly ground: Part | undefined;
  private readonly reasons = new Map<Part, string>();

  /** `ground`: the part without which no other can work. */
  constructor(health: HealthReporter, ground?: Part) {
    this.health = health;
    this.ground = ground;
  }

  /** Returns whether no part said the same before: the moment to log it. */
  impaired(part: Part, reason: string): boolean {
    const before = new Set(this.reasons.values());
    if (this.reasons.get(part) === reason) return false;
    this.reasons.set(part, reason);
    this.report();
    return !before.has(reason);
  }

  /** Returns whether the part was impaired before. */
  fine(part: Part): boolean {
    const was = this.reasons.delete(part);
    this.report();
    return was;
  }

  private report(): void {
    const whole = this.ground === undefined ? undefined : this.reasons.get(this.ground);
    const reasons = whole === undefined ? new Set(this.reasons.values()) : [whole];
    if (this.reasons.size > 0) this.health.degraded([...reasons].join("; "));
    else this.health.ok();
  }
}
