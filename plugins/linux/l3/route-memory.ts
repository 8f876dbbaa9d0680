import { DumpMemory, type Route as KernelRoute, type NamespaceHandle } from "#plugins/netlink/index.js";
import { interfaceInRouteName } from "#proto/index.js";
import { KnownRoutes } from "./known-routes.js";
import { tableOf } from "./outgoing-link.js";
import { type Listed, OURS } from "./route-lists.js";
import type { RetrievedRoute, RouteReaderParts } from "./route-retrieval.js";

/** A link of one namespace, with what its routes have in common. */
export interface NexthopLink {
  readonly name: string;
  /** As it stands in the keys of routes. */
  readonly nameInKey: string;
  /** Of routes that name none. */
  readonly table: number;
}

/** The links of a namespace that are ours, by their indexes. */
export type NexthopLinks = ReadonlyMap<number, NexthopLink>;

export function nexthopLinksOf({ interfaces, scheduler }: RouteReaderParts, identity: string): NexthopLinks {
  const nexthopLinks = new Map<number, NexthopLink>();
  for (const { name, index, namespaceIdentity } of interfaces.all()) {
    if (namespaceIdentity === identity)
      nexthopLinks.set(index, { name, nameInKey: interfaceInRouteName(name), table: tableOf(scheduler, name) });
  }
  return nexthopLinks;
}

/**
 * What the routes of each namespace were found to be the last time that all were read. It is good as long as the links are the same:
 * then a message that has not changed means the same route.
 */
export class RouteMemories {
  private memories = new Map<string, RouteMemory>();
  private before = this.memories;
  private known = new KnownRoutes([]);

  /** From now on all namespaces are read again; those that are not are forgotten with the read after. */
  begin(expected: readonly RetrievedRoute[]): KnownRoutes {
    this.before = this.memories;
    this.memories = new Map();
    if (!this.known.areThose(expected)) this.known = new KnownRoutes(expected);
    return this.known;
  }

  of(identity: string, nexthopLinks: NexthopLinks): RouteMemory {
    const links = JSON.stringify(Array.from(nexthopLinks, ([index, { name, table }]) => [index, name, table]).sort());
    const known = this.memories.get(identity) ?? this.before.get(identity);
    const memory = known?.links === links ? known : new RouteMemory(links);
    this.memories.set(identity, memory);
    return memory;
  }
}

/** The routes of one namespace. */
export class RouteMemory {
  readonly dump = new DumpMemory<RetrievedRoute>();
  /** What was expected at the last read. */
  private known: KnownRoutes | undefined;

  constructor(
    /** The links that it is good for. */
    readonly links: string,
  ) {}

  /** Reads the namespace. A route that is in the kernel as the last time, and still expected so, is not even decoded. */
  async read(handle: NamespaceHandle, known: KnownRoutes, nexthopLinks: NexthopLinks): Promise<Listed> {
    const rest: KernelRoute[] = [];
    const isSame = this.known === known;
    const exact = await handle.routeRecall(this.dump, OURS, {
      stands: (meaning) => isSame || known.has(meaning),
      interpret(route) {
        const meaning = known.find(route, nexthopLinks);
        if (meaning === undefined) rest.push(route);
        return meaning;
      },
    });
    this.known = known;
    return { handle, exact, rest };
  }
}
