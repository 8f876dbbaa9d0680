import type { RetrievedValue, ValueState } from "../api/scheduler.js";
import type { Descriptors } from "../graph/descriptors.js";
import { expectation } from "../graph/expectation.js";
import type { Graph } from "../graph/graph.js";
import type { AnyDescriptor, Node } from "../graph/node.js";
import { stateOf } from "./status.js";

export type DumpedValue = RetrievedValue & { readonly state: ValueState };

/** What northbound asked for, be it valid or not. */
export function asked(node: Node): object | undefined {
  return node.rejected?.value ?? (node.orphaned ? undefined : node.desired);
}

/** Base values in key order. */
export function bases(graph: Graph, prefix: string): Node[] {
  const nodes: Node[] = [];
  for (const node of graph.all()) {
    if (node.base === undefined && !node.idle && node.key.startsWith(prefix)) nodes.push(node);
  }
  return nodes.sort(byKey);
}

/** Base values as the cache has them: what is desired, or what is in the southbound. */
export function dumpCached(graph: Graph, view: "northbound" | "cached", prefix: string): readonly DumpedValue[] {
  return bases(graph, prefix).flatMap((node) => {
    const value = view === "northbound" ? asked(node) : node.value;
    if (value === undefined) return [];
    const origin = view === "northbound" || node.managed ? "northbound" : "southbound";
    return [{ key: node.key, value, origin, metadata: node.metadata, state: stateOf(node) }];
  });
}

/** Base values as they are in the southbound, read anew. Changes nothing in the cache. */
export async function dumpSouthbound(
  graph: Graph,
  descriptors: Descriptors,
  prefix: string,
): Promise<readonly DumpedValue[]> {
  const values: DumpedValue[] = [];
  for (const descriptor of descriptors.inRetrieveOrder()) {
    if (!overlaps(descriptor, prefix)) continue;
    const known = bases(graph, descriptor.prefix).filter((node) => node.descriptor === descriptor);
    const correlate = known.flatMap((node) => expectation(node) ?? []);
    for (const found of (await descriptor.retrieve?.(correlate)) ?? []) {
      const node = graph.get(found.key);
      const state = node === undefined ? (found.origin === "southbound" ? "OBTAINED" : "DISCOVERED") : stateOf(node);
      if (found.key.startsWith(prefix)) values.push({ ...found, state });
    }
  }
  return values.sort(byKey);
}

function overlaps(descriptor: AnyDescriptor, prefix: string): boolean {
  return descriptor.prefix.startsWith(prefix) || prefix.startsWith(descriptor.prefix);
}

export function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
