import { Slices, turnBetween } from "../../slices.js";
import type { Dependency, FlagName, FlagStatistics, GraphEdge, GraphSnapshot, ValueRecord } from "../api/scheduler.js";
import type { Descriptors } from "../graph/descriptors.js";
import { dependenciesOf } from "../graph/graph.js";
import type { Timeline } from "./timeline.js";
import { byKey } from "./views.js";

/** The graph as it was at a time. What depended on what is worked out anew from the values of then. */
export async function takeSnapshot(timeline: Timeline, descriptors: Descriptors, time: number): Promise<GraphSnapshot> {
  // The values in one go: what is known of them must not change meanwhile.
  const values: ValueRecord[] = [];
  for (const record of timeline.all()) {
    const { since, until } = record;
    if (since <= time && (until === undefined || time < until)) values.push(record);
  }
  const complete = timeline.reaches(time);
  await turnBetween(values.length);
  values.sort(byKey);
  await turnBetween(values.length);
  const present = values.filter(isAvailable).map(({ key }) => key);
  const available = new Set(present);
  const edges: GraphEdge[] = [];
  const slices = new Slices();
  for (const record of values) {
    if (slices.isDue) await slices.next();
    for (const edge of derivation(record, available)) edges.push(edge);
    for (const dependency of dependenciesOf(descriptors.forKey(record.key), record.key, record.value)) {
      for (const to of targetsOf(dependency, present)) {
        const satisfied = available.has(to);
        edges.push({ relation: "depends-on", from: record.key, to, label: dependency.label, satisfied });
      }
    }
  }
  return { time, complete, values, edges };
}

/** Counts what Ligato calls a flag, in the present and in what is remembered of the past. */
export function countFlag(timeline: Timeline, flag: FlagName, prefixes: readonly string[] | undefined): FlagStatistics {
  const perValue: Record<string, number> = {};
  let total = 0;
  for (const record of timeline.all()) {
    if (prefixes !== undefined && !prefixes.some((prefix) => record.key.startsWith(prefix))) continue;
    const value = FLAGS[flag](record);
    if (value === undefined) continue;
    total++;
    perValue[value] = (perValue[value] ?? 0) + 1;
  }
  return { total, perValue };
}

/** The value of each flag in a record; `undefined` when the record does not have it. */
const FLAGS: Readonly<Record<FlagName, (record: ValueRecord) => string | undefined>> = {
  "last-update": ({ transaction }) => `TXN-${transaction}`,
  "value-state": ({ state }) => state,
  error: ({ error }) => (error === "" ? undefined : error),
  unavailable: (record) => (isAvailable(record) ? undefined : ""),
  descriptor: ({ descriptor }) => descriptor,
  derived: ({ derivedFrom }) => derivedFrom,
};

/** Others may depend on it. */
export function isAvailable({ state }: ValueRecord): boolean {
  return state === "CONFIGURED" || state === "OBTAINED" || state === "DISCOVERED";
}

function derivation({ key, derivedFrom }: ValueRecord, available: ReadonlySet<string>): GraphEdge[] {
  if (derivedFrom === undefined) return [];
  return [{ relation: "derives", from: derivedFrom, to: key, label: "", satisfied: available.has(key) }];
}

/** The keys that a dependency leads to. `present` is in order. */
function targetsOf(dependency: Dependency, present: readonly string[]): readonly string[] {
  if ("key" in dependency) return [dependency.key];
  if ("peer" in dependency) return [dependency.peer];
  const { prefixes = [""], matches } = dependency.anyOf;
  return prefixes.flatMap((prefix) => withPrefix(present, prefix)).filter((key) => matches?.(key) ?? true);
}

function withPrefix(keys: readonly string[], prefix: string): readonly string[] {
  let low = 0;
  for (let high = keys.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < prefix) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (keys[end]?.startsWith(prefix) === true) end++;
  return keys.slice(low, end);
}
