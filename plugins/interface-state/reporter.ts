import { isDeepStrictEqual } from "node:util";
import type { LinkStatistics } from "#plugins/netlink/index.js";
import type { InterfaceNotification, InterfaceNotificationNotifType, InterfaceState } from "#proto/index.js";
import { type Condition, statisticsOf } from "./state.js";

/**
 * Publishes the notifications of one interface. The first change is told at once, those that follow within `minInterval` are
 * folded into one with the latest state. That the interface is gone is always told, and at once.
 */
export class InterfaceReporter {
  #told: Condition | undefined;
  #latest: Condition | undefined;
  #statistics: LinkStatistics | undefined;
  #lastChange = 0;
  #folded = 0;
  #waiting: NodeJS.Timeout | undefined;
  #quietUntil = 0;
  #sequence = 0;

  /** @param minInterval milliseconds between two notifications of changes. */
  constructor(
    private readonly minInterval: number,
    private readonly publish: (notification: InterfaceNotification) => void,
  ) {}

  /** The interface is now in this condition. */
  changed(condition: Condition, statistics: LinkStatistics | undefined): void {
    this.#statistics = statistics ?? this.#statistics;
    if (isDeepStrictEqual(condition, this.#latest)) return;
    if (this.#latest === undefined || statusChanged(this.#latest, condition)) this.#lastChange = nowSeconds();
    this.#latest = condition;
    if (this.#waiting !== undefined) this.#folded += 1;
    else this.#tellWhenAllowed();
  }

  /** Tells the counters, with the state they belong to. */
  counted(statistics: LinkStatistics): void {
    this.#statistics = statistics;
    if (this.#told !== undefined && this.#waiting === undefined) this.#send("STATISTICS", this.#told);
  }

  gone(): void {
    this.close();
    const last = this.#latest;
    if (last === undefined) return;
    this.#lastChange = nowSeconds();
    this.#send("UPDOWN", { ...last, admin_status: "DELETED", oper_status: "DELETED" });
    this.#told = undefined;
    this.#latest = undefined;
    this.#quietUntil = 0;
  }

  close(): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
  }

  #tellWhenAllowed(): void {
    const wait = this.#quietUntil - performance.now();
    if (wait <= 0) this.#tell();
    else this.#waiting = setTimeout(() => this.#tell(), wait);
  }

  #tell(): void {
    this.#waiting = undefined;
    const latest = this.#latest;
    if (latest === undefined || isDeepStrictEqual(latest, this.#told)) return;
    const type = this.#told === undefined || statusChanged(this.#told, latest) ? "UPDOWN" : "CHANGED";
    this.#told = latest;
    this.#quietUntil = performance.now() + this.minInterval;
    this.#send(type, latest);
  }

  #send(type: InterfaceNotificationNotifType, condition: Condition): void {
    const folded = this.#folded;
    this.#folded = 0;
    const state: InterfaceState = {
      ...condition,
      last_change: String(this.#lastChange),
      ...(this.#statistics === undefined ? {} : { statistics: statisticsOf(this.#statistics) }),
      sequence: String(++this.#sequence),
      ...(folded === 0 ? {} : { folded_changes: folded }),
    };
    this.publish({ type, state });
  }
}

function statusChanged(before: Condition, after: Condition): boolean {
  return before.admin_status !== after.admin_status || before.oper_status !== after.oper_status;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
