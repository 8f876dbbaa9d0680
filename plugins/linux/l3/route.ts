import { setImmediate } from "node:timers/promises";
import type {
  Dependency,
  Descriptor,
  ExistingValue,
  InvalidField,
  KeyedValue,
  RetrievedValue,
} from "#core/scheduler/api/scheduler.js";
import type { Route as KernelRoute, NamespaceHandle } from "#plugins/netlink/index.js";
import { interfaceKey, LINK_LOCAL_ROUTE_PREFIX, linkLocalRouteKey, ROUTE_PREFIX, type Route } from "#proto/index.js";
import { INTERFACE_DESCRIPTOR } from "../interfaces/index.js";
import { isCode } from "../namespaces/index.js";
import { SharedDependencies } from "../shared-dependencies.js";
import type { DuplicateRoutes } from "./duplicate-routes.js";
import { carryOut, type RouteRequest } from "./many-routes.js";
import { outgoingLink, tableOf, tableOfRoute } from "./outgoing-link.js";
import { sourceDependencies } from "./reachable.js";
import { anyHop, hopDependencies, type RouteHops, removeHop, routeHops } from "./route-hops.js";
import {
  hasNoNexthop,
  hopsOf,
  isMultipath,
  isOnLink,
  kernelRoute,
  type PlainHop,
  plainRoute,
  routeIdentity,
} from "./route-kernel.js";
import { means } from "./route-matching.js";
import { type RetrievedRoute, type RouteMetadata, RouteReader, type RouteReaderParts } from "./route-retrieval.js";
import { validateRoute } from "./route-validation.js";

export interface RouteDescriptorParts extends RouteReaderParts {
  readonly duplicates: DuplicateRoutes;
  readonly hops: RouteHops;
}

/** What deleting a route says when it is gone already: with its link, its namespace or its gateway. */
const GONE = ["ESRCH", "ENODEV", "ENETUNREACH"] as const;

/**
 * Static routes. They are marked as ours by their protocol number and wait for their interfaces to be up and their gateways to be
 * reachable; the kernel drops them when the interface goes down. A route goes to the table of its interface's VRF unless it
 * names another.
 */
export class RouteDescriptor implements Descriptor<Route, RouteMetadata> {
  readonly name = "linux-route";
  readonly prefix = ROUTE_PREFIX;
  readonly retrieveAfter = [INTERFACE_DESCRIPTOR];
  private readonly parts: RouteReaderParts;
  private readonly reader: RouteReader;
  private readonly duplicates: DuplicateRoutes;
  private readonly hops: RouteHops;
  private readonly nextHops = new SharedDependencies();

  constructor(parts: RouteDescriptorParts) {
    this.parts = parts;
    this.reader = new RouteReader(parts);
    this.duplicates = parts.duplicates;
    this.hops = parts.hops;
  }

  validate(_key: string, value: Route): readonly InvalidField[] {
    return validateRoute(value);
  }

  dependencies(_key: string, value: Route): readonly Dependency[] {
    const vrf = value.vrf ? [{ label: `VRF ${value.vrf}`, key: interfaceKey(value.vrf) }] : NONE;
    if (hasNoNexthop(value)) return [...this.parts.namespaces.dependencies(value.namespace), ...vrf];
    const [first] = hopsOf(value);
    const source = value.preferred_source && first ? this.sourceDependencies(value.preferred_source, first) : NONE;
    if (isMultipath(value)) return [anyHop(value), ...vrf, ...source];
    const own = first === undefined ? NONE : this.hopDependencies(first);
    return vrf === NONE && source === NONE ? own : [...own, ...vrf, ...source];
  }

  /** So that a route goes before another one comes that the kernel could not tell from it. */
  claims(key: string, { metric, table, vrf }: Route): readonly string[] {
    const network = networkIn(key);
    return [metric || table || vrf ? `${network} ${metric ?? 0} ${table || vrf || ""}` : network];
  }

  /** A route to the link makes gateways in its network reachable. */
  derivedValues(key: string, value: Route): readonly KeyedValue[] {
    if (isMultipath(value)) return routeHops(key, value);
    if (!isOnLink(value)) return [];
    const { destination, hops } = plainRoute(value);
    return hops.map(({ interface: name }) => ({ key: linkLocalRouteKey(name, destination), value: {} }));
  }

  equivalent(_key: string, a: Route, b: Route): boolean {
    return means(a, b);
  }

  async create(key: string, value: Route): Promise<RouteMetadata> {
    if (isMultipath(value)) return this.createMultipath(key, value);
    const { handle, request, table } = this.request(key, value);
    const add = async (namespace: NamespaceHandle): Promise<void> => {
      try {
        await namespace.routeAdd(request);
      } catch (error) {
        // Another one that is being added at the same time has had its answer by then.
        if (isCode(error, "EEXIST")) await setImmediate();
        await this.duplicates.takeOver(key, value, error, namespace, request);
      }
      this.duplicates.came(key, value);
    };
    if (handle !== undefined) await add(handle);
    else await this.parts.leases.during(key, value.namespace, (lease) => add(lease.handle));
    return { table };
  }

  createMany(values: readonly KeyedValue<Route>[]): Promise<readonly PromiseSettledResult<RouteMetadata>[]> {
    const nexthopLinks = new Map<string, NexthopDevice>();
    const made = new SharedResults();
    return carryOut(values, {
      prepare: ({ key, value }) => (isMultipath(value) ? ALONE : this.request(key, value, nexthopLinks)),
      alone: ({ key, value }) => this.create(key, value),
      send: (handle, requests) => handle.routeAddMany(requests),
      conclude: ({ key, value }, table, outcome, handle) => {
        if (outcome.status === "rejected") {
          if (!isCode(outcome.reason, "EEXIST")) return outcome;
          const { request } = this.request(key, value, nexthopLinks);
          return this.duplicates.takeOver(key, value, outcome.reason, handle, request).then(() => {
            this.duplicates.came(key, value);
            return { table };
          });
        }
        this.duplicates.came(key, value);
        return made.of(table);
      },
    });
  }

  /** The kernel tells routes apart by destination, table and metric. */
  updateWithRecreate(_key: string, oldValue: Route, newValue: Route, { table }: RouteMetadata): boolean {
    const [before, after] = [plainRoute(oldValue), plainRoute(newValue)];
    return (
      before.metric !== after.metric ||
      before.type !== after.type ||
      isMultipath(oldValue) !== isMultipath(newValue) ||
      before.namespace !== after.namespace ||
      table !== tableOfRoute(this.parts.scheduler, after)
    );
  }

  /** The kernel has it with its first hop. */
  private createMultipath(key: string, value: Route): RouteMetadata {
    const table = tableOfRoute(this.parts.scheduler, plainRoute(value));
    for (const { interface: name } of hopsOf(value)) {
      const identity = this.parts.interfaces.get(name)?.namespaceIdentity;
      const lost = identity === undefined ? undefined : this.duplicates.lost(key, value, identity);
      if (lost !== undefined) throw lost;
    }
    this.hops.know(key, value, table, { ...value, next_hops: [] });
    this.duplicates.came(key, value);
    return { table };
  }

  async update(key: string, oldValue: Route, newValue: Route): Promise<RouteMetadata> {
    if (isMultipath(newValue)) {
      const table = tableOfRoute(this.parts.scheduler, plainRoute(newValue));
      await this.hops.rewrite(key, newValue, table);
      return { table };
    }
    const { handle, request, table } = this.request(key, newValue);
    if (handle !== undefined && request.gateway !== undefined && request.destination.includes(":")) {
      await this.exchange(handle, this.removal(key, oldValue, table).request, request);
    } else await (handle ?? this.parts.leases.get(key)?.handle)?.routeReplace(request);
    return { table };
  }

  /**
   * Changes an IPv6 route by a gateway. Others may have added next hops of the same metric, which the kernel shows as one with ours and
   * would replace with it (net/ipv6/ip6_fib.c, fib6_add_rt2node): ours comes, and goes, by itself.
   */
  private async exchange(handle: NamespaceHandle, before: KernelRoute, now: KernelRoute): Promise<void> {
    const { linkIndex, table, destination, metric } = now;
    if (before.gateway === now.gateway && before.linkIndex === linkIndex) {
      const routes = await handle.routeList({
        ...(linkIndex === undefined ? {} : { linkIndex }),
        ...(table === undefined ? {} : { table }),
      });
      const own = routes.find((each) => each.destination === destination && each.metric === metric);
      if (own?.nextHops === undefined) return handle.routeReplace(now);
      await handle.routeDel(before);
      return handle.routeAppend(now);
    }
    await handle.routeAppend(now);
    await removeHop(handle, before);
  }

  async delete(key: string, value: Route, { table }: RouteMetadata): Promise<void> {
    // It has gone with its last hop.
    if (isMultipath(value)) return this.hops.forget(key);
    const { handle, request } = this.removal(key, value, table);
    try {
      if (handle !== undefined && (await this.duplicates.isStillThere(handle, request))) await handle.routeDel(request);
    } catch (error) {
      if (!isCode(error, ...GONE)) throw error;
    }
    this.parts.leases.drop(key);
  }

  deleteMany(values: readonly ExistingValue<Route, RouteMetadata>[]): Promise<readonly PromiseSettledResult<void>[]> {
    return carryOut(values, {
      prepare: ({ key, value, metadata }) => {
        if (isMultipath(value)) return ALONE;
        const removal = this.removal(key, value, metadata.table);
        // Another one might be removed in its place: that takes a closer look.
        return this.duplicates.mayHit(removal.request) ? { ...removal, handle: undefined } : removal;
      },
      alone: ({ key, value, metadata }) => this.delete(key, value, metadata),
      send: (handle, requests) => handle.routeDelMany(requests),
      conclude: ({ key }, _table, outcome) => {
        if (outcome.status === "rejected" && !isCode(outcome.reason, ...GONE)) return outcome;
        this.parts.leases.drop(key);
        return DONE;
      },
    });
  }

  async retrieve(
    correlate: readonly RetrievedValue<Route, RouteMetadata>[],
    only?: ReadonlySet<string>,
  ): Promise<readonly RetrievedRoute[]> {
    const found = await this.reader.read(correlate, only !== undefined);
    for (const { key, value } of found) this.duplicates.came(key, value);
    return this.withHops(found, correlate);
  }

  /** Routes with several hops that are known to be there are so even while none of their hops is. */
  private withHops(
    found: readonly RetrievedRoute[],
    correlate: readonly RetrievedValue<Route, RouteMetadata>[],
  ): readonly RetrievedRoute[] {
    const several = correlate.filter(({ value }) => isMultipath(value));
    if (several.length === 0) return found;
    const byKey = new Map(found.map((each) => [each.key, each]));
    const without: RetrievedRoute[] = [];
    for (const { key, value, metadata } of several) {
      const there = byKey.get(key);
      const table = there?.metadata?.table ?? metadata?.table;
      if (table === undefined) continue;
      const seen = there?.value ?? { ...value, next_hops: [] };
      if (isMultipath(seen)) this.hops.know(key, value, table, seen);
      if (there === undefined) without.push({ key, value: seen, origin: "northbound", metadata: { table } });
    }
    return without.length === 0 ? found : [...found, ...without];
  }

  private sourceDependencies(source: string, { interface: name }: PlainHop): readonly Dependency[] {
    return this.nextHops.dependencies(`${name} from ${source}`, () =>
      sourceDependencies(source, name, this.parts.scheduler),
    );
  }

  private hopDependencies(hop: PlainHop): readonly Dependency[] {
    const { interface: name, gateway, onLink } = hop;
    return this.nextHops.dependencies(`${name} ${onLink ? "" : gateway}`, () => hopDependencies(hop));
  }

  /**
   * What to ask of the kernel for a route by one hop or none, and of which namespace; that of one that has no next hop is leased by the
   * caller. `known` are the interfaces that were looked up already.
   */
  private request(key: string, value: Route, known: Map<string, NexthopDevice> = new Map()): RouteRequest {
    const route = plainRoute(value);
    const [hop] = route.hops;
    if (hop === undefined) {
      const table = tableOfRoute(this.parts.scheduler, route);
      return { handle: undefined, request: kernelRoute(route, { table, indexOf: () => 0 }), table };
    }
    const nexthopLink = known.get(hop.interface) ?? this.nexthopLink(hop.interface, key);
    known.set(hop.interface, nexthopLink);
    const table = route.table || (route.vrf === "" ? nexthopLink.table : tableOfRoute(this.parts.scheduler, route));
    return { handle: nexthopLink.handle, request: kernelRoute(route, { table, indexOf: nexthopLink.indexOf }), table };
  }

  private removal(key: string, value: Route, table: number): RouteRequest {
    const { interfaces, leases } = this.parts;
    const route = plainRoute(value);
    const [hop] = route.hops;
    const identity = routeIdentity(route, table);
    if (hop === undefined) return { handle: leases.get(key)?.handle, request: identity, table };
    const linkIndex = interfaces.get(hop.interface)?.index;
    const located = linkIndex === undefined ? identity : { ...identity, linkIndex };
    // In IPv6 others may have next hops in the same route: only ours goes.
    const isOneOfSeveral = hop.gateway !== "" && route.destination.includes(":");
    const request = isOneOfSeveral ? { ...located, gateway: hop.gateway } : located;
    return { handle: interfaces.namespaceOf(hop.interface), request, table };
  }

  private nexthopLink(name: string, key: string): NexthopDevice {
    const { interfaces, scheduler } = this.parts;
    const { handle, index } = outgoingLink(interfaces, name, key);
    return { handle, indexOf: () => index, table: tableOf(scheduler, name) };
  }
}

/** The one interface that a route leaves by. */
interface NexthopDevice {
  readonly handle: NamespaceHandle;
  readonly indexOf: () => number;
  /** Of routes that name none. */
  readonly table: number;
}

const NONE: readonly Dependency[] = [];

/** Not one of the many that go in one message. */
const ALONE: RouteRequest = { handle: undefined, request: { destination: "" }, table: 0 };

const DONE: PromiseSettledResult<void> = { status: "fulfilled", value: undefined };

/** The same answer for all routes of a table: one object, not a hundred thousand. */
class SharedResults {
  private readonly results = new Map<number, PromiseSettledResult<RouteMetadata>>();

  of(table: number): PromiseSettledResult<RouteMetadata> {
    let result = this.results.get(table);
    if (result === undefined) {
      result = { status: "fulfilled", value: { table } };
      this.results.set(table, result);
    }
    return result;
  }
}

/**
 * That a network is on the link of an interface, derived from a route, or from an address with another end (`on`): what gateways
 * depend on. There is nothing to do for it.
 */
export class LinkLocalRouteDescriptor implements Descriptor<{ readonly on?: string }> {
  readonly name = "linux-link-local-route";
  readonly prefix = LINK_LOCAL_ROUTE_PREFIX;

  dependencies(_key: string, { on }: { readonly on?: string }): readonly Dependency[] {
    return on === undefined ? [] : [{ label: "the address whose other end it is", key: on }];
  }
}

/** The network in the key of a route: address and length are its first two parts. */
function networkIn(key: string): string {
  const length = key.indexOf("/", ROUTE_PREFIX.length) + 1;
  return key.slice(ROUTE_PREFIX.length, key.indexOf("/", length));
}
