import type { HealthReporter } from "../health/types.js";

/**
 * The health of a bus plugin, made of its parts: ok when no part has anything to complain about, else degraded with all
 * their reasons, in the order they came up. A reason that several parts share is said once.
 */
export class Conditions<Part extends string> {
  readonly #health: HealthReporter;
  readonly #reasons = new Map<Part, string>();

  constructor(health: HealthReporter) {
    this.#health = health;
  }

  /** Returns whether no part said the same before: the moment to log it. */
  impaired(part: Part, reason: string): boolean {
    const before = new Set(this.#reasons.values());
    if (this.#reasons.get(part) === reason) return false;
    this.#reasons.set(part, reason);
    this.#report();
    return !before.has(reason);
  }

  /** Returns whether the part was impaired before. */
  fine(part: Part): boolean {
    const was = this.#reasons.delete(part);
    this.#report();
    return was;
  }

  #report(): void {
    if (this.#reasons.size > 0) this.#health.degraded([...new Set(this.#reasons.values())].join("; "));
    else this.#health.ok();
  }
}
