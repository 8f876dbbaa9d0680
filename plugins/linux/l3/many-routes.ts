import type { KeyedValue } from "#core/scheduler/api/scheduler.js";
import type { Route as KernelRoute, NamespaceHandle } from "#plugins/netlink/index.js";
import type { Route } from "#proto/index.js";

/** What to ask of the kernel for a route, and of which namespace; `undefined` when none is open for it. */
export interface RouteRequest {
  readonly handle: NamespaceHandle | undefined;
  readonly request: KernelRoute;
  readonly table: number;
}

type Result<R> = PromiseSettledResult<R>;

/** One operation on many routes. */
export interface ManyRoutes<V extends KeyedValue<Route>, R> {
  prepare(value: V): RouteRequest;
  /** For a value that goes to no open namespace. */
  alone(value: V): Promise<R>;
  send(handle: NamespaceHandle, requests: readonly KernelRoute[]): Promise<readonly Result<void>[]>;
  /** A promise where there is more to do. */
  conclude(value: V, table: number, outcome: Result<void>, handle: NamespaceHandle): Result<R> | Promise<R>;
}

/** The requests of one namespace, and the places of their values. */
interface Batch {
  readonly requests: KernelRoute[];
  readonly tables: number[];
  readonly places: number[];
}

/** Carries out an operation on many values with one call for each namespace. Each value has its own result, in the same order. */
export async function carryOut<V extends KeyedValue<Route>, R>(
  values: readonly V[],
  operation: ManyRoutes<V, R>,
): Promise<readonly Result<R>[]> {
  const results = new Array<Result<R>>(values.length);
  const note = async (place: number, work: Promise<R>): Promise<void> => {
    const [result] = await Promise.allSettled([work]);
    results[place] = result;
  };
  const batches = new Map<NamespaceHandle, Batch>();
  const alone: Promise<void>[] = [];
  for (const [place, value] of values.entries()) {
    try {
      const { handle, request, table } = operation.prepare(value);
      if (handle === undefined) {
        alone.push(note(place, operation.alone(value)));
        continue;
      }
      const batch = batches.get(handle) ?? { requests: [], tables: [], places: [] };
      batches.set(handle, batch);
      batch.requests.push(request);
      batch.tables.push(table);
      batch.places.push(place);
    } catch (reason) {
      results[place] = { status: "rejected", reason };
    }
  }
  const sent = Array.from(batches, async ([handle, { requests, tables, places }]) => {
    const outcomes = await operation.send(handle, requests);
    const more: Promise<void>[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      const place = places[index] ?? -1;
      const value = values[place];
      if (value === undefined) continue;
      const concluded = operation.conclude(value, tables[index] ?? 0, outcome, handle);
      if (concluded instanceof Promise) more.push(note(place, concluded));
      else results[place] = concluded;
    }
    await Promise.all(more);
  });
  await Promise.all([...sent, ...alone]);
  return results;
}
