import type { GraphEdge, GraphSnapshot, ValueRecord } from "#core/scheduler/api/scheduler.js";
import { Slices } from "#core/slices.js";

/**
 * Relation, then label, then keys: `RecordedNode.Targets` of Ligato's graph. A dependency on nothing there has no keys.
 */
type Targets = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

const RELATION: Readonly<Record<GraphEdge["relation"], string>> = {
  derives: "derives",
  "depends-on": "depends-on",
};

/** A value as it was from one change to the next: `RecordedNode` of Ligato's graph. A present one has no `Until`. */
export function recordedNode(record: ValueRecord, targets: Targets = {}): object {
  const { key, state, value, error, descriptor, derivedFrom, since, until, transaction } = record;
  return {
    Since: new Date(since).toISOString(),
    // The zero time of Go.
    Until: until === undefined ? "0001-01-01T00:00:00Z" : new Date(until).toISOString(),
    Key: key,
    Label: key,
    Value: value,
    Flags: {
      "last-update": `TXN-${transaction}`,
      "value-state": state,
      ...(error === "" ? {} : { error }),
      ...(descriptor === undefined ? {} : { descriptor }),
      ...(derivedFrom === undefined ? {} : { derived: derivedFrom }),
      ...(["CONFIGURED", "OBTAINED", "DISCOVERED"].includes(state) ? {} : { unavailable: "" }),
    },
    MetadataFields: null,
    Targets: targets,
    TargetUpdateOnly: false,
  };
}

/** The graph at a time, in key order. */
export async function recordedNodes({ values, edges }: GraphSnapshot): Promise<readonly object[]> {
  const slices = new Slices();
  const byKey = new Map<string, Record<string, Record<string, string[]>>>();
  for (const { relation, from, to, label, satisfied } of edges) {
    if (slices.isDue) await slices.next();
    const targets = byKey.get(from) ?? {};
    byKey.set(from, targets);
    targets[RELATION[relation]] ??= {};
    const byLabel = targets[RELATION[relation]] ?? {};
    byLabel[label || to] ??= [];
    if (satisfied) byLabel[label || to]?.push(to);
  }
  const nodes: object[] = [];
  for (const record of values) {
    if (slices.isDue) await slices.next();
    nodes.push(recordedNode(record, byKey.get(record.key)));
  }
  return nodes;
}
