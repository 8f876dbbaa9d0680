import type { Conditions } from "#core/northbound/conditions.js";
import type { AgentEvent, OrphanCount, ValueStatus } from "#core/northbound/index.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import type { DeferredEvents } from "./deferred-events.js";
import type { DesiredState } from "./desired-state.js";
import { foundDetail, lostDetail, type OrphanMark } from "./orphan-mark.js";
import { statusOf } from "./results.js";

const ADVICE =
  "`tenuto resync --prune --dry-run` lists what nobody asks for any more, `tenuto resync --prune` removes it";

/** Says which values nobody asks for any more: in the status of each, in events when that changes, and in the health. */
export class OrphanReport {
  /** Why values may be found in the southbound that nobody wants. */
  found: OrphanMark | undefined;
  private told = new Map<string, OrphanMark>();
  private revision = 0;
  private lost: readonly OrphanCount[] = [];
  private reported = "";

  constructor(
    private readonly desired: DesiredState,
    private readonly scheduler: Scheduler,
    private readonly conditions: Conditions<string>,
    private readonly deferredEvents: DeferredEvents,
  ) {}

  /** The status of a value with what there is to say of it here. */
  explained(status: ValueStatus): ValueStatus {
    const detail = this.detailOf(status.key, status.state === "DISCOVERED");
    return detail === undefined ? status : { ...status, details: [...status.details, detail] };
  }

  /** Why the value of a key is orphaned; `undefined` when it is not. */
  detailOf(key: string, isFound: boolean): string | undefined {
    const orphan = this.desired.orphanOf(key);
    if (orphan !== undefined) return lostDetail(orphan.source, orphan.mark);
    return isFound ? foundDetail(this.reasonForFound()) : undefined;
  }

  counts(): readonly OrphanCount[] {
    const { orphanCount: count } = this.scheduler;
    if (count === 0) return this.lost;
    const [first] = this.scheduler.orphans();
    return [...this.lost, { source: "", count, first: first?.key ?? "", reason: this.reasonForFound().reason }];
  }

  /** To be called after whatever may have changed which values are orphaned. */
  review(): void {
    const { orphanRevision } = this.desired;
    if (orphanRevision !== this.revision) this.reviewLost();
    this.revision = orphanRevision;
    const text = this.counts().map(healthText).join("; ");
    if (text === this.reported) return;
    this.reported = text;
    if (text !== "") this.conditions.impaired("orphans", `${text}. ${ADVICE}`);
    else this.conditions.fine("orphans");
  }

  /** With a complete store they can only have come since. */
  private reasonForFound(): OrphanMark {
    this.found ??= { reason: "it came up while the agent ran", since: new Date().toISOString() };
    return this.found;
  }

  private reviewLost(): void {
    const now = new Map<string, OrphanMark>();
    const counts = new Map<string, OrphanCount>();
    for (const { source, key, mark } of this.desired.orphans()) {
      const { count, first, reason } = counts.get(source) ?? { count: 0, first: key, reason: mark.reason };
      counts.set(source, { source, count: count + 1, first, reason });
      if (this.desired.get(key)?.source === source) now.set(key, mark);
    }
    const before = this.told;
    this.told = now;
    this.lost = [...counts.values()];
    const changed = [...new Set([...before.keys(), ...now.keys()])].filter((key) => before.get(key) !== now.get(key));
    this.deferredEvents.publishSoon(this.events(changed));
  }

  private *events(keys: readonly string[]): Generator<AgentEvent> {
    for (const key of keys) {
      yield { kind: "value", key, data: this.explained(statusOf(this.scheduler.status(key))) };
    }
  }
}

function healthText({ source, count, first, reason }: OrphanCount): string {
  const values = `${count} ${count === 1 ? "value" : "values"}`;
  const which = count === 1 ? first : `${first} and others`;
  return source === ""
    ? `${values} found that nobody asks for: ${which}: ${reason}`
    : `source ${source} has lost ${values}: ${which}: ${reason}`;
}
