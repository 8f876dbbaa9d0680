import type { GraphEdge, GraphSnapshot, ValueRecord, ValueState } from "../api/scheduler.js";
import { isAvailable } from "./snapshot.js";

/** Fill colours by state, as Ligato draws its graph: what is there is green, what waits yellow, what failed red. */
const COLOURS: Readonly<Partial<Record<ValueState, string>>> = {
  CONFIGURED: "palegreen",
  OBTAINED: "lightblue",
  DISCOVERED: "lightgrey",
  PENDING: "khaki",
  MISSING: "orange",
  UNIMPLEMENTED: "orange",
  INVALID: "lightpink",
  FAILED: "tomato",
  RETRYING: "tomato",
};

/** A snapshot in the language of Graphviz. Derived values are rounded, dependencies that nothing satisfies are dashed. */
export function toDot({ values, edges }: GraphSnapshot): string {
  return [
    "digraph scheduler {",
    "  rankdir=LR;",
    '  node [shape=box, style=filled, fontname="sans-serif", fontsize=10];',
    ...values.map(nodeLine),
    ...edges.map(edgeLine),
    "}",
    "",
  ].join("\n");
}

function nodeLine(record: ValueRecord): string {
  const { key, state, error, details, derivedFrom } = record;
  const label = [key, state, ...(error === "" ? [] : [error]), ...(isAvailable(record) ? [] : details)];
  const style = derivedFrom === undefined ? "" : ', style="filled,rounded"';
  return `  ${quote(key)} [label=${quote(label.join("\n"))}, fillcolor=${COLOURS[state] ?? "white"}${style}];`;
}

function edgeLine({ relation, from, to, label, satisfied }: GraphEdge): string {
  const style = relation === "derives" ? "bold" : satisfied ? "solid" : "dashed";
  const name = label === "" || label === to ? "" : `, label=${quote(label)}`;
  return `  ${quote(from)} -> ${quote(to)} [style=${style}${name}];`;
}

function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
