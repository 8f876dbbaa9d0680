import type { DumpView, HistoryEntry, KeyValue, StatusFilter, ValueStatus } from "#core/northbound/index.js";
import type { GraphView } from "#core/scheduler/api/scheduler.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import type { Gates } from "./gates.js";
import type { Journal } from "./journal.js";
import type { OrphanReport } from "./orphan-report.js";
import { isBad, statusesOf } from "./results.js";

const GRAPH_VIEW: Record<DumpView, GraphView> = { nb: "northbound", sb: "southbound", cached: "cached" };

/** The scheduler's knowledge in the words of the contract. */
export class Views {
  constructor(
    private readonly scheduler: Scheduler,
    private readonly journal: Journal,
    private readonly gates: Gates,
    private readonly orphans: OrphanReport,
  ) {}

  async dump(view: DumpView, prefix?: string): Promise<readonly KeyValue[]> {
    const values = await this.scheduler.dump(GRAPH_VIEW[view], prefix);
    const known = values.map(({ key, value }) => ({ key, value }));
    return view === "nb" ? this.withHeld(known, prefix) : known;
  }

  status({ prefix, state }: StatusFilter): readonly ValueStatus[] {
    const statuses = this.gates
      .withHeld(this.scheduler.statuses(prefix).flatMap(statusesOf), prefix)
      .map((status) => this.orphans.explained(status));
    if (state === undefined) return statuses;
    return statuses.filter((status) => (state === "pending" ? status.state === "PENDING" : isBad(status.state)));
  }

  /** A value that is held is desired, whatever the scheduler has in its place. */
  private withHeld(values: readonly KeyValue[], prefix?: string): readonly KeyValue[] {
    const held = this.gates.heldValues(prefix);
    if (held.length === 0) return values;
    const byKey = new Map([...values, ...held].map((one) => [one.key, one]));
    return [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  history(seq?: number): readonly HistoryEntry[] {
    return this.scheduler.history(seq === undefined ? {} : { seq }).map((record) => this.journal.entry(record));
  }
}
