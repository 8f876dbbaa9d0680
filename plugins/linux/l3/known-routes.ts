import type { Route as KernelRoute, NamespaceHandle } from "#plugins/netlink/index.js";
import { ROUTE_PREFIX, type Route } from "#proto/index.js";
import { tableOf } from "./place.js";
import { scopeNumber, UNICAST } from "./route-kernel.js";
import type { RetrievedRoute, RouteMetadata, RouteReaderParts } from "./route-retrieval.js";

/** A link of one namespace, with what its routes have in common. */
interface Exit {
  readonly name: string;
  /** Of routes that name none. */
  readonly table: number;
}

/**
 * Finds the wanted value of a route that the kernel has exactly as it is wanted, at a glance: nearly all of them are so, and a
 * hundred thousand of them are looked at in one go. What it does not find is looked at properly.
 */
export class KnownRoutes {
  readonly #exits = new Map<NamespaceHandle, Map<number, Exit | undefined>>();
  readonly #metadata = new Map<number, RouteMetadata>();

  constructor(
    private readonly parts: RouteReaderParts,
    private readonly expected: ReadonlyMap<string, Route>,
  ) {}

  find(route: KernelRoute, handle: NamespaceHandle | undefined): RetrievedRoute | undefined {
    const { destination, linkIndex, table = 0 } = route;
    const exit = handle === undefined || linkIndex === undefined ? undefined : this.#exit(handle, linkIndex);
    if (exit === undefined) return undefined;
    const key = `${ROUTE_PREFIX}${destination}/${exit.name}`;
    const value = this.expected.get(key);
    if (value === undefined || !isAsWanted(route, value, exit)) return undefined;
    return { key, value, origin: "northbound", metadata: this.#metadataOf(table) };
  }

  #exit(handle: NamespaceHandle, linkIndex: number): Exit | undefined {
    const known = this.#exits.get(handle) ?? new Map<number, Exit | undefined>();
    this.#exits.set(handle, known);
    if (!known.has(linkIndex)) {
      const name = this.parts.interfaces.byIndex(handle.identity, linkIndex)?.name;
      known.set(linkIndex, name === undefined ? undefined : { name, table: tableOf(this.parts.scheduler, name) });
    }
    return known.get(linkIndex);
  }

  #metadataOf(table: number): RouteMetadata {
    const known = this.#metadata.get(table) ?? { table };
    this.#metadata.set(table, known);
    return known;
  }
}

/** Compares the plainest kind of route field by field; says no to whatever has more to it. Network and interface are in the key. */
function isAsWanted(route: KernelRoute, value: Route, exit: Exit): boolean {
  return (
    isPlain(value) &&
    route.type === UNICAST &&
    route.nextHops === undefined &&
    route.metric === undefined &&
    route.preferredSource === undefined &&
    route.unknown === undefined &&
    route.onLink === undefined &&
    (value.gw_addr ?? "") === (route.gateway ?? "") &&
    (value.table || exit.table) === route.table &&
    route.scope === scopeNumber(value)
  );
}

/** IPv4, by one interface, with every other field at its default. */
function isPlain(value: Route): boolean {
  return (
    value.type === undefined &&
    value.metric === undefined &&
    value.next_hops === undefined &&
    value.preferred_source === undefined &&
    value.mtu === undefined &&
    value.on_link === undefined &&
    value.dst_network?.includes(":") === false
  );
}
