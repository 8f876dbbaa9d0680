import type { Logger } from "#core/logging/types.js";
import type { EventPublisher } from "#core/northbound/index.js";
import type { Drift } from "#core/scheduler/api/scheduler.js";

const MINUTE = 60_000;

/** Tells the buses and the log of drift, and of fights: the same value that drifts again and again. */
export class DriftReporter {
  /** When each value drifted, within the last minute: ms of a clock that does not jump. */
  private readonly times = new Map<string, number[]>();

  /** @param tolerated so many times a minute a value may drift before it is called a fight. */
  constructor(
    private readonly events: EventPublisher,
    private readonly log: Logger,
    private readonly tolerated: number,
  ) {}

  tell(drifts: readonly Drift[]): void {
    this.forgetOld();
    for (const drift of drifts) this.report(drift);
  }

  private report({ key, before, after, keys, policy, repairIn }: Drift): void {
    const times = [...(this.times.get(key) ?? []), performance.now()];
    // Set anew, so that the map is in the order of the last times.
    this.times.delete(key);
    this.times.set(key, times);
    const fight = times.length > this.tolerated;
    const when = repairIn === undefined ? {} : { repair_in_ms: Math.ceil(repairIn) };
    const changes = { key, policy: policy === "enforce" ? "ENFORCE" : "REPORT", times: times.length, ...when } as const;
    if (fight)
      this.log.warn(changes, "somebody else changes this value again and again; it is repaired ever more slowly");
    else
      this.log.info(
        changes,
        after === undefined ? "a value vanished from the southbound" : "a value was changed from the southbound",
      );
    const found = after === undefined ? {} : { after };
    this.events.publish({ kind: "drift", key, data: { ...changes, before, ...found, keys, fight } });
  }

  private forgetOld(): void {
    const oldest = performance.now() - MINUTE;
    for (const [key, times] of this.times) {
      const recent = times.filter((time) => time >= oldest);
      if (recent.length === times.length) return;
      if (recent.length === 0) this.times.delete(key);
      else this.times.set(key, recent);
    }
  }
}
