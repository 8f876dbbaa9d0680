import type { InvalidField, ValueState, ValueStatusRecord } from "../api/scheduler.js";
import { type Existence, isPresent, missing } from "../graph/dependencies.js";
import type { Graph } from "../graph/graph.js";
import { isOrphaned, type Node, type ValueCondition } from "../graph/node.js";

const NO_DETAILS: readonly string[] = [];
const CHANGED_SOUTHBOUND: readonly string[] = ["changed by somebody else"];
const NO_DERIVED: readonly ValueStatusRecord[] = [];
/** Of an invalid value. */
const MOST_REFUSALS = 100;

function plain(state: ValueState): ValueCondition {
  return { state, error: "", details: NO_DETAILS };
}

const PLAIN: Readonly<Record<ValueState, ValueCondition>> = {
  NONEXISTENT: plain("NONEXISTENT"),
  MISSING: plain("MISSING"),
  UNIMPLEMENTED: plain("UNIMPLEMENTED"),
  REMOVED: plain("REMOVED"),
  CONFIGURED: plain("CONFIGURED"),
  OBTAINED: plain("OBTAINED"),
  DISCOVERED: plain("DISCOVERED"),
  PENDING: plain("PENDING"),
  INVALID: plain("INVALID"),
  FAILED: plain("FAILED"),
  RETRYING: plain("RETRYING"),
};

/** The state of a value as the graph knows it. */
export function stateOf(node: Node): ValueState {
  if (node.failure !== undefined) return node.failure.retrying ? "RETRYING" : "FAILED";
  if (node.rejected !== undefined) return "INVALID";
  if (node.desired === undefined) return undesiredState(node);
  if (node.present && isOrphaned(node)) return "DISCOVERED";
  if (node.descriptor === undefined) return "UNIMPLEMENTED";
  if (node.present && node.managed) return "CONFIGURED";
  return "PENDING";
}

function undesiredState(node: Node): ValueState {
  if (!node.present) return "NONEXISTENT";
  return node.managed ? "DISCOVERED" : "OBTAINED";
}

/** A value is MISSING when it vanished, everything it depends on is there, and nobody has brought it back. */
function refine(state: ValueState, node: Node, details: readonly string[]): ValueState {
  return state === "PENDING" && node.missing && details.length === 0 ? "MISSING" : state;
}

/** Why a value is not (only) configured: what it waits for, which fields are wrong, whose derived value it desired. */
function detailsOf(graph: Graph, node: Node, state: ValueState): readonly string[] {
  if (state === "PENDING") return waitsFor(graph, node);
  if (state === "INVALID") return refusals(node.rejected?.fields ?? []);
  if (state === "CONFIGURED" && node.value !== node.desired) return CHANGED_SOUTHBOUND;
  if (!graph.hasContested) return NO_DETAILS;
  return graph
    .contestedBy(node)
    .map((key) => `${key} already belongs to ${graph.get(key)?.base?.key ?? "another value"}`);
}

function waitsFor(graph: Graph, node: Node): readonly string[] {
  const labels = missing(graph, node, isPresent);
  if (labels.length > 0 || !node.present) return labels;
  // Somebody else's value is there, and keeps what ours would need.
  return node.desiredDependencies.map(({ label }) => `${label}, which depends on it`);
}

function refusals(fields: readonly InvalidField[]): readonly string[] {
  const told = fields
    .slice(0, MOST_REFUSALS)
    .map(({ field, problem }) => (field === "" ? problem : `${field}: ${problem}`));
  return fields.length > told.length ? [...told, `and ${fields.length - told.length} more`] : told;
}

/** What is said of a value. One object stands for all values of which there is no more to say than their state. */
export function conditionOf(graph: Graph, node: Node): ValueCondition {
  const state = stateOf(node);
  const details = detailsOf(graph, node, state);
  const error = node.failure?.message ?? (state === "INVALID" ? details.join("; ") : "");
  const refined = refine(state, node, details);
  return error === "" && details.length === 0 ? PLAIN[refined] : { state: refined, error, details };
}

export function statusOf(graph: Graph, node: Node): ValueStatusRecord {
  const { state, error, details } = conditionOf(graph, node);
  const derived = derivedStatuses(graph, node);
  return { key: node.key, state, error, lastOperation: node.lastOperation, details, derived };
}

/** The status of a value that is not applied since it, or a part of it, is invalid. Any other value has its own. */
export function refusalOf(graph: Graph, node: Node): ValueStatusRecord {
  const status = statusOf(graph, node);
  if (node.rejected !== undefined) return status;
  const derived = [...(node.derived ?? [])]
    .map((child) => refusalOf(graph, child))
    .filter(({ state }) => state === "INVALID");
  if (derived.length === 0) return status;
  const details = derived.map(({ key, error }) => `${key}: ${error}`);
  return { ...status, state: "INVALID", error: details.join("; "), details, derived };
}

/** A derived value of a value that is not there has no state of its own yet. */
export function isShown(node: Node): boolean {
  return !node.idle && (node.base === undefined || node.base.present);
}

function derivedStatuses(graph: Graph, node: Node): readonly ValueStatusRecord[] {
  if (node.derived === undefined || !node.present) return NO_DERIVED;
  return [...node.derived].filter(isShown).map((child) => statusOf(graph, child));
}

export function nonexistent(key: string): ValueStatusRecord {
  return { key, state: "NONEXISTENT", error: "", lastOperation: "UNDEFINED", details: NO_DETAILS, derived: NO_DERIVED };
}

export function removed(key: string): ValueStatusRecord {
  return { ...nonexistent(key), state: "REMOVED", lastOperation: "DELETE" };
}

/** The status that a simulated transaction would leave a value in. */
export function plannedStatusOf(graph: Graph, node: Node, existsAfter: Existence): ValueStatusRecord {
  const now = statusOf(graph, node);
  if (node.rejected !== undefined) return now;
  if (node.desired === undefined) return node.exists ? now : removed(node.key);
  if (!node.eligible) return now;
  if (node.granted) return { ...now, state: "CONFIGURED", error: "", details: NO_DETAILS, derived: NO_DERIVED };
  return { ...now, state: "PENDING", error: "", details: missing(graph, node, existsAfter), derived: NO_DERIVED };
}
