import { isDeepStrictEqual } from "node:util";
import { type Clock, systemClock } from "#core/scheduler/api/clock.js";
import type { LinkStatistics } from "#plugins/netlink/index.js";
import type { InterfaceNotificationNotifType, InterfaceState } from "#proto/index.js";
import { type InterfaceCondition, sameCondition, statisticsOf } from "./state.js";

export interface ReporterOptions {
  /** Milliseconds between two notifications of changes: at least, and while changes keep coming faster. */
  readonly minInterval: number;
  readonly maxInterval: number;
  /** Counters that did not move since they were last told are not told again. */
  readonly deltaOnly: boolean;
  readonly publish: (type: InterfaceNotificationNotifType, state: InterfaceState) => void;
  /** For intervals. Default: the machine's, which does not jump. */
  readonly clock?: Clock;
}

/**
 * Publishes the notifications of one interface. The first change is told at once, those that follow within `minInterval` are
 * folded into one with the latest state. Of an interface that goes on flapping less and less is told: the interval doubles up to
 * `maxInterval`, until one had no more than one change. Once nothing has changed for a quarter of the interval, and for `minInterval`,
 * the flapping is over and the last state does not wait any longer. That the interface is gone is always told, and at once.
 */
export class InterfaceReporter {
  /** Kind of the first notification about a link: it is new, or was there already. */
  first: "CREATED" | "SNAPSHOT" = "CREATED";
  private told: InterfaceCondition | undefined;
  private latest: InterfaceCondition | undefined;
  private statistics: LinkStatistics | undefined;
  private toldStatistics: LinkStatistics | undefined;
  private lastChange = 0;
  private folded = 0;
  private readonly clock: Clock;
  /** What is to be told waits for its time. */
  private waiting: unknown;
  /** Time of the clock: the next notification may go out, and the last change. */
  private quietUntil = Number.NEGATIVE_INFINITY;
  private changedAt = Number.NEGATIVE_INFINITY;
  private interval: number;

  constructor(private readonly options: ReporterOptions) {
    this.interval = options.minInterval;
    this.clock = options.clock ?? systemClock;
  }

  /** The interface is now in this condition. */
  changed(condition: InterfaceCondition, statistics: LinkStatistics | undefined): void {
    this.statistics = statistics ?? this.statistics;
    if (sameCondition(condition, this.latest)) return;
    if (this.latest === undefined || statusChanged(this.latest, condition)) this.lastChange = nowSeconds();
    this.latest = condition;
    this.changedAt = this.clock.monotonic();
    if (this.waiting !== undefined) this.folded += 1;
    else this.tellWhenAllowed();
  }

  /** Tells the counters, with the state they belong to. */
  counted(statistics: LinkStatistics): void {
    this.statistics = statistics;
    if (this.told === undefined || this.waiting !== undefined) return;
    if (this.options.deltaOnly && isDeepStrictEqual(this.statistics, this.toldStatistics)) return;
    this.send("STATISTICS", this.told);
  }

  /** Tells everything once more. False when there is nothing to tell. */
  republish(): boolean {
    if (this.latest === undefined) return false;
    this.close();
    this.told = this.latest;
    this.send("SNAPSHOT", this.latest);
    return true;
  }

  gone(): void {
    this.close();
    const last = this.latest;
    if (last === undefined) return;
    this.lastChange = nowSeconds();
    this.send("UPDOWN", { ...last, admin_status: "DELETED", oper_status: "DELETED" });
    this.first = "CREATED";
    this.told = undefined;
    this.latest = undefined;
    this.statistics = undefined;
    this.toldStatistics = undefined;
    this.quietUntil = Number.NEGATIVE_INFINITY;
  }

  close(): void {
    if (this.waiting !== undefined) this.clock.clearTimeout(this.waiting);
    this.waiting = undefined;
  }

  private tellWhenAllowed(): void {
    this.waiting = undefined;
    const quiet = Math.max(this.options.minInterval, this.interval / 4);
    const wait = Math.min(this.quietUntil, this.changedAt + quiet) - this.clock.monotonic();
    if (wait <= 0) this.tell();
    else this.waiting = this.clock.setTimeout(() => this.tellWhenAllowed(), wait);
  }

  private tell(): void {
    const latest = this.latest;
    const told = this.told;
    if (latest === undefined || sameCondition(latest, told)) return;
    this.told = latest;
    const { minInterval, maxInterval } = this.options;
    const longer = Math.min(this.interval * 2, Math.max(minInterval, maxInterval));
    this.interval = this.folded > 0 ? longer : minInterval;
    this.quietUntil = this.clock.monotonic() + this.interval;
    if (told === undefined) this.send(this.first, latest);
    else this.send(statusChanged(told, latest) ? "UPDOWN" : "CHANGED", latest);
  }

  private send(type: InterfaceNotificationNotifType, condition: InterfaceCondition): void {
    const folded = this.folded;
    this.folded = 0;
    this.toldStatistics = this.statistics;
    this.options.publish(type, {
      ...condition,
      last_change: String(this.lastChange),
      ...(this.statistics === undefined ? {} : { statistics: statisticsOf(this.statistics) }),
      ...(folded === 0 ? {} : { folded_changes: folded }),
    });
  }
}

function statusChanged(before: InterfaceCondition, after: InterfaceCondition): boolean {
  return before.admin_status !== after.admin_status || before.oper_status !== after.oper_status;
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
