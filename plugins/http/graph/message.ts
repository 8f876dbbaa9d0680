import type { GraphEdge, GraphSnapshot, ValueRecord } from "#core/scheduler/api/scheduler.js";
import type { Graph, GraphEdge as GraphEdgeMessage, GraphValue } from "#proto/index.js";

/**
 * A snapshot of the scheduler's graph as the message `tenuto.v1.Graph`: states and relations, without the values
 * themselves.
 */
export function graphMessage({ time, complete, values, edges }: GraphSnapshot): Graph {
  return {
    time: new Date(time).toISOString(),
    complete,
    values: values.map(valueMessage),
    edges: edges.map(edgeMessage),
  };
}

function valueMessage(record: ValueRecord): GraphValue {
  const { key, state, error, details, descriptor = "", derivedFrom = "", since, transaction } = record;
  return {
    key,
    state,
    error,
    details: [...details],
    descriptor,
    derived_from: derivedFrom,
    since: new Date(since).toISOString(),
    transaction,
  };
}

function edgeMessage({ relation, from, to, label, satisfied }: GraphEdge): GraphEdgeMessage {
  return { relation: relation === "derives" ? "DERIVES" : "DEPENDS_ON", from, to, label, satisfied };
}

/** The snapshot that a message was made of, with empty values. */
export function graphSnapshot({ time, complete, values, edges }: Graph): GraphSnapshot {
  return { time: Date.parse(time), complete, values: values.map(valueRecord), edges: edges.map(edgeOf) };
}

function valueRecord({ derived_from, descriptor, since, ...message }: GraphValue): ValueRecord {
  return {
    ...message,
    value: {},
    descriptor: descriptor === "" ? undefined : descriptor,
    derivedFrom: derived_from === "" ? undefined : derived_from,
    since: Date.parse(since),
    until: undefined,
  };
}

function edgeOf({ relation, ...message }: GraphEdgeMessage): GraphEdge {
  return { ...message, relation: relation === "DERIVES" ? "derives" : "depends-on" };
}
