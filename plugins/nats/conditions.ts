import type { HealthReporter } from "#core/health/types.js";

/** A part of the plugin that can be impaired by itself. */
export type Part = "connection" | "requests" | "desired state" | "last states";

/**
 * The plugin's health, made of its parts: ok when no part has anything to complain about, else degraded with all their
 * reasons, in the order they came up. Without a connection that is the one reason that counts.
 */
export class Conditions {
  readonly #health: HealthReporter;
  readonly #reasons = new Map<Part, string>();

  constructor(health: HealthReporter) {
    this.#health = health;
  }

  /** Returns whether the part did not say the same before: the moment to log it. */
  impaired(part: Part, reason: string): boolean {
    if (this.#reasons.get(part) === reason) return false;
    this.#reasons.set(part, reason);
    this.#report();
    return true;
  }

  /** Returns whether the part was impaired before. */
  fine(part: Part): boolean {
    const was = this.#reasons.delete(part);
    this.#report();
    return was;
  }

  #report(): void {
    const connection = this.#reasons.get("connection");
    if (connection !== undefined) this.#health.degraded(connection);
    else if (this.#reasons.size > 0) this.#health.degraded([...this.#reasons.values()].join("; "));
    else this.#health.ok();
  }
}
