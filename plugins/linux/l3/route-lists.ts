import type { Route as KernelRoute, NamespaceHandle } from "#plugins/netlink/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import type { KnownRoutes } from "./known-routes.js";
import { nexthopLinksOf, type RouteMemories } from "./route-memory.js";
import type { RetrievedRoute, RouteReaderParts } from "./route-retrieval.js";

/** Routes of a namespace: those that are exactly as expected, and the rest as the kernel has them. */
export interface Listed {
  readonly handle: NamespaceHandle;
  readonly exact: readonly RetrievedRoute[];
  readonly rest: readonly KernelRoute[];
}

export type ListOurs = (handle: NamespaceHandle) => Promise<Listed>;

export const OURS = { protocol: TENUTO_PROTOCOL } as const;

/** Sorts routes that were read. */
export function sorted(
  parts: RouteReaderParts,
  handle: NamespaceHandle,
  routes: readonly KernelRoute[],
  known: KnownRoutes,
): Listed {
  const nexthopLinks = nexthopLinksOf(parts, handle.identity);
  const exact: RetrievedRoute[] = [];
  const rest: KernelRoute[] = [];
  for (const route of routes) {
    const asExpected = known.find(route, nexthopLinks);
    if (asExpected === undefined) rest.push(route);
    else exact.push(asExpected);
  }
  return { handle, exact, rest };
}

/** Lists the routes of ours in whole namespaces. */
export function listing(parts: RouteReaderParts, known: KnownRoutes): ListOurs {
  return oncePerNamespace(async (handle) => sorted(parts, handle, await handle.routeList(OURS), known));
}

/** The same for a reader of all there is. The namespaces that are listed are the ones that are remembered for the next time. */
export function recalling(parts: RouteReaderParts, known: KnownRoutes, memories: RouteMemories): ListOurs {
  return oncePerNamespace((handle) => {
    const nexthopLinks = nexthopLinksOf(parts, handle.identity);
    return memories.of(handle.identity, nexthopLinks).read(handle, known, nexthopLinks);
  });
}

/** Each namespace is read once, whoever asks. */
function oncePerNamespace(list: ListOurs): ListOurs {
  const lists = new Map<string, Promise<Listed>>();
  return (handle) => {
    const listed = lists.get(handle.identity) ?? list(handle);
    lists.set(handle.identity, listed);
    return listed;
  };
}
