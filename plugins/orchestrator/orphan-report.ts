import type { Conditions } from "#core/northbound/conditions.js";
import type { AgentEvent, ValueStatus } from "#core/northbound/index.js";
import type { Scheduler } from "#core/scheduler/token.js";
import type { Announcements } from "./announcements.js";
import type { DesiredState, OrphanedValue } from "./desired-state.js";
import { type OrphanMark, orphanDetail } from "./orphan-mark.js";
import { statusOf } from "./results.js";

const ADVICE = "`tenuto resync --prune --dry-run` lists what would go";

/** Says of which values nobody speaks any more: in the status of each, in events when that changes, and in the health. */
export class OrphanReport {
  private told = new Map<string, OrphanMark>();
  private revision = 0;

  constructor(
    private readonly desired: DesiredState,
    private readonly scheduler: Scheduler,
    private readonly conditions: Conditions<string>,
    private readonly announcements: Announcements,
  ) {}

  /** The status of a value with what there is to say of it here. */
  explained(status: ValueStatus): ValueStatus {
    const orphan = this.desired.orphanOf(status.key);
    return orphan === undefined ? status : { ...status, details: [...status.details, orphanDetail(orphan.mark)] };
  }

  /** To be called after whatever may have changed which values are orphaned. */
  review(): void {
    const { orphanRevision } = this.desired;
    if (orphanRevision === this.revision) return;
    this.revision = orphanRevision;
    const now = new Map<string, OrphanMark>();
    const sources = new Map<string, OrphanedValue[]>();
    for (const orphan of this.desired.orphans()) {
      const ofSource = sources.get(orphan.source);
      if (ofSource === undefined) sources.set(orphan.source, [orphan]);
      else ofSource.push(orphan);
      if (this.desired.wanted(orphan.key)?.source === orphan.source) now.set(orphan.key, orphan.mark);
    }
    const before = this.told;
    this.told = now;
    const changed = [...new Set([...before.keys(), ...now.keys()])].filter((key) => before.get(key) !== now.get(key));
    this.announcements.publishSoon(this.events(changed));
    this.reportHealth(sources);
  }

  private *events(keys: readonly string[]): Generator<AgentEvent> {
    for (const key of keys) {
      yield { kind: "value", key, data: this.explained(statusOf(this.scheduler.status(key))) };
    }
  }

  private reportHealth(sources: ReadonlyMap<string, readonly OrphanedValue[]>): void {
    const texts = [...sources].map(([source, [first, ...more]]) =>
      first === undefined
        ? ""
        : `source ${source} has lost ${more.length + 1} of its values, which stay: ${first.key}${more.length === 0 ? "" : ", …"}: ${first.mark.reason}`,
    );
    if (texts.length > 0) this.conditions.impaired("orphans", `${texts.join("; ")}. ${ADVICE}`);
    else this.conditions.fine("orphans");
  }
}
