import type { Route as KernelRoute } from "#plugins/netlink/index.js";
import { type NetNamespace, ROUTE_PREFIX, type Route } from "#proto/index.js";
import { hasNoNexthop, scopeNumber, UNICAST } from "./route-kernel.js";
import type { NexthopLink, NexthopLinks } from "./route-memory.js";
import type { RetrievedRoute, RouteMetadata } from "./route-retrieval.js";

/**
 * Finds the expected value of a route that the kernel has exactly as it is expected, at a glance: nearly all of them are so, and a
 * hundred thousand of them are looked at in one go. What it does not find is looked at properly.
 */
export class KnownRoutes {
  /** Namespaces of the expected routes that lead withoutNexthop. */
  readonly withoutNexthop: readonly (NetNamespace | undefined)[];
  private readonly metadata = new Map<number, RouteMetadata>();
  // Made when they are first asked for: when every route is remembered nobody asks.
  private routesByKey: ReadonlyMap<string, RetrievedRoute> | undefined;
  private all: ReadonlySet<RetrievedRoute> | undefined;

  constructor(readonly expected: readonly RetrievedRoute[]) {
    this.withoutNexthop = expected.filter(({ value }) => hasNoNexthop(value)).map(({ value }) => value.namespace);
  }

  get byKey(): ReadonlyMap<string, RetrievedRoute> {
    this.routesByKey ??= new Map(this.expected.map((each) => [each.key, each]));
    return this.routesByKey;
  }

  has(route: RetrievedRoute): boolean {
    this.all ??= new Set(this.expected);
    return this.all.has(route);
  }

  /** Are these the same expectations, one for one? */
  areThose(expected: readonly RetrievedRoute[]): boolean {
    return expected.length === this.expected.length && expected.every((each, i) => each === this.expected[i]);
  }

  /** Gives memory back until the next question. */
  rest(): void {
    this.routesByKey = undefined;
    this.all = undefined;
  }

  find(route: KernelRoute, nexthopLinks: NexthopLinks): RetrievedRoute | undefined {
    const { destination, linkIndex, table = 0 } = route;
    const nexthopLink = linkIndex === undefined ? undefined : nexthopLinks.get(linkIndex);
    if (nexthopLink === undefined) return undefined;
    const key = `${ROUTE_PREFIX}${destination}/${nexthopLink.nameInKey}`;
    const expected =
      this.asDesired(key, route, nexthopLink) ?? this.asDesired(`${key};table=${table}`, route, nexthopLink);
    if (expected === undefined) return undefined;
    if (expected.metadata?.table === table && expected.origin === "northbound") return expected;
    const { value } = expected;
    return { key: expected.key, value, origin: "northbound", metadata: this.metadataOf(table) };
  }

  private asDesired(key: string, route: KernelRoute, nexthopLink: NexthopLink): RetrievedRoute | undefined {
    const expected = this.byKey.get(key);
    return expected !== undefined && isAsDesired(route, expected.value, nexthopLink) ? expected : undefined;
  }

  private metadataOf(table: number): RouteMetadata {
    const known = this.metadata.get(table) ?? { table };
    this.metadata.set(table, known);
    return known;
  }
}

/** Compares the plainest kind of route field by field; says no to whatever has more to it. Network and interface are in the key. */
function isAsDesired(route: KernelRoute, value: Route, nexthopLink: NexthopLink): boolean {
  return (
    isPlain(value) &&
    route.type === UNICAST &&
    route.nextHops === undefined &&
    route.metric === undefined &&
    route.preferredSource === undefined &&
    route.unknown === undefined &&
    route.onLink === undefined &&
    (value.gw_addr ?? "") === (route.gateway ?? "") &&
    (value.table || nexthopLink.table) === route.table &&
    route.scope === scopeNumber(value)
  );
}

/** IPv4, by one interface, with every other field at its default. */
function isPlain(value: Route): boolean {
  return (
    value.type === undefined &&
    value.metric === undefined &&
    value.vrf === undefined &&
    value.next_hops === undefined &&
    value.preferred_source === undefined &&
    value.mtu === undefined &&
    value.on_link === undefined &&
    value.dst_network?.includes(":") === false
  );
}
