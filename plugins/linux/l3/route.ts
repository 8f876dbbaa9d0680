import { setImmediate } from "node:timers/promises";
import { InvalidInputError } from "#core/errors.js";
import type {
  Dependency,
  Descriptor,
  ExistingValue,
  InvalidField,
  KeyedValue,
  RetrievedValue,
} from "#core/scheduler/types.js";
import type { NamespaceHandle } from "#plugins/netlink/index.js";
import {
  interfaceKey,
  interfaceStateKey,
  LINK_LOCAL_ROUTE_PREFIX,
  linkLocalRouteKey,
  ROUTE_PREFIX,
  type Route,
} from "#proto/index.js";
import { INTERFACE_DESCRIPTOR } from "../interfaces/index.js";
import { isCode } from "../namespaces/index.js";
import { carryOut, type RouteRequest } from "./many-routes.js";
import { placeOf, tableOf, tableOfRoute } from "./place.js";
import { gatewayDependencies } from "./reachable.js";
import {
  hopsOf,
  isOnLink,
  kernelRoute,
  leadsNowhere,
  type PlainHop,
  plainRoute,
  routeIdentity,
} from "./route-kernel.js";
import { means } from "./route-matching.js";
import { type RetrievedRoute, type RouteMetadata, RouteReader, type RouteReaderParts } from "./route-retrieval.js";
import { RouteRivals } from "./route-rivals.js";
import { validateRoute } from "./route-validation.js";
import { SharedDependencies } from "./shared-dependencies.js";

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
  readonly #parts: RouteReaderParts;
  readonly #reader: RouteReader;
  readonly #rivals: RouteRivals;
  readonly #nextHops = new SharedDependencies();

  constructor(parts: RouteReaderParts) {
    this.#parts = parts;
    this.#reader = new RouteReader(parts);
    this.#rivals = new RouteRivals(parts);
  }

  validate(_key: string, value: Route): readonly InvalidField[] {
    return validateRoute(value);
  }

  dependencies(_key: string, value: Route): readonly Dependency[] {
    const vrf = value.vrf ? [{ label: `VRF ${value.vrf}`, key: interfaceKey(value.vrf) }] : NONE;
    if (leadsNowhere(value)) return [...this.#parts.namespaces.dependencies(value.namespace), ...vrf];
    const [first, ...others] = hopsOf(value).map((hop) => this.#hopDependencies(hop));
    return first !== undefined && others.length === 0 && vrf === NONE ? first : [first ?? [], ...others, vrf].flat();
  }

  /** So that a route goes before another one comes that the kernel could not tell from it. */
  claims(key: string, { metric, table, vrf }: Route): readonly string[] {
    const network = networkIn(key);
    return [metric || table || vrf ? `${network} ${metric ?? 0} ${table || vrf || ""}` : network];
  }

  /** A route to the link makes gateways in its network reachable. */
  derivedValues(_key: string, value: Route): readonly KeyedValue[] {
    if (!isOnLink(value)) return [];
    const { destination, hops } = plainRoute(value);
    const names = new Set(hops.map((hop) => hop.interface));
    return [...names].map((name) => ({ key: linkLocalRouteKey(name, destination), value: {} }));
  }

  equivalent(_key: string, a: Route, b: Route): boolean {
    return means(a, b);
  }

  async create(key: string, value: Route): Promise<RouteMetadata> {
    const { handle, request, table } = this.#request(key, value);
    const add = async (namespace: NamespaceHandle): Promise<void> => {
      try {
        await namespace.routeAdd(request);
      } catch (error) {
        // Another one that is being added at the same time has had its answer by then.
        if (isCode(error, "EEXIST")) await setImmediate();
        throw this.#rivals.refusal(key, value, error, namespace.identity);
      }
      this.#rivals.came(key, value);
    };
    if (handle !== undefined) await add(handle);
    else await this.#parts.leases.during(key, value.namespace, (lease) => add(lease.handle));
    return { table };
  }

  createMany(values: readonly KeyedValue<Route>[]): Promise<readonly PromiseSettledResult<RouteMetadata>[]> {
    const exits = new Map<string, Exit>();
    const made = new SharedResults();
    return carryOut(values, {
      prepare: ({ key, value }) => this.#request(key, value, exits),
      alone: ({ key, value }) => this.create(key, value),
      send: (handle, requests) => handle.routeAddMany(requests),
      conclude: ({ key, value }, table, outcome, { identity }) => {
        if (outcome.status === "rejected") {
          return { status: "rejected", reason: this.#rivals.refusal(key, value, outcome.reason, identity) };
        }
        this.#rivals.came(key, value);
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
      before.namespace !== after.namespace ||
      table !== tableOfRoute(this.#parts.scheduler, after)
    );
  }

  async update(key: string, _oldValue: Route, newValue: Route): Promise<RouteMetadata> {
    const { handle, request, table } = this.#request(key, newValue);
    await (handle ?? this.#parts.leases.get(key)?.handle)?.routeReplace(request);
    return { table };
  }

  async delete(key: string, value: Route, { table }: RouteMetadata): Promise<void> {
    const { handle, request } = this.#removal(key, value, table);
    try {
      if (handle !== undefined && (await this.#rivals.isStillThere(handle, request))) await handle.routeDel(request);
    } catch (error) {
      if (!isCode(error, ...GONE)) throw error;
    }
    this.#parts.leases.drop(key);
  }

  deleteMany(values: readonly ExistingValue<Route, RouteMetadata>[]): Promise<readonly PromiseSettledResult<void>[]> {
    return carryOut(values, {
      prepare: ({ key, value, metadata }) => {
        const removal = this.#removal(key, value, metadata.table);
        // Another one might be removed in its place: that takes a closer look.
        return this.#rivals.mayHit(removal.request) ? { ...removal, handle: undefined } : removal;
      },
      alone: ({ key, value, metadata }) => this.delete(key, value, metadata),
      send: (handle, requests) => handle.routeDelMany(requests),
      conclude: ({ key }, _table, outcome) => {
        if (outcome.status === "rejected" && !isCode(outcome.reason, ...GONE)) return outcome;
        this.#parts.leases.drop(key);
        return DONE;
      },
    });
  }

  async retrieve(
    correlate: readonly RetrievedValue<Route, RouteMetadata>[],
    only?: ReadonlySet<string>,
  ): Promise<readonly RetrievedRoute[]> {
    const found = await this.#reader.read(correlate, only !== undefined);
    for (const { key, value } of found) this.#rivals.came(key, value);
    return found;
  }

  #hopDependencies({ interface: name, gateway, onLink }: PlainHop): readonly Dependency[] {
    const through = onLink ? "" : gateway;
    return this.#nextHops.dependencies(`${name} ${through}`, () => [
      { label: `interface ${name}`, key: interfaceKey(name) },
      { label: `interface ${name} to be up`, key: interfaceStateKey(name, true) },
      ...(through === "" ? [] : gatewayDependencies(through, name)),
    ]);
  }

  /**
   * What to ask of the kernel, and of which namespace; that of a route that leads nowhere is leased by the caller. `known` are the
   * interfaces that were looked up already.
   */
  #request(key: string, value: Route, known: Map<string, Exit> = new Map()): RouteRequest {
    const route = plainRoute(value);
    const [hop, ...others] = route.hops;
    if (hop !== undefined && others.length === 0) {
      const exit = known.get(hop.interface) ?? this.#exit(hop.interface, key);
      known.set(hop.interface, exit);
      const table = route.table || (route.vrf === "" ? exit.table : tableOfRoute(this.#parts.scheduler, route));
      return { handle: exit.handle, request: kernelRoute(route, { table, indexOf: exit.indexOf }), table };
    }
    const table = tableOfRoute(this.#parts.scheduler, route);
    const { handle, indexOf } = this.#exits(key, route.hops);
    return { handle, request: kernelRoute(route, { table, indexOf }), table };
  }

  #removal(key: string, value: Route, table: number): RouteRequest {
    const { interfaces, leases } = this.#parts;
    const route = plainRoute(value);
    const [hop, ...others] = route.hops;
    const identity = routeIdentity(route, table);
    if (hop === undefined) return { handle: leases.get(key)?.handle, request: identity, table };
    const linkIndex = others.length === 0 ? interfaces.get(hop.interface)?.index : undefined;
    const request = linkIndex === undefined ? identity : { ...identity, linkIndex };
    return { handle: interfaces.namespaceOf(hop.interface), request, table };
  }

  #exit(name: string, key: string): Exit {
    const { interfaces, scheduler } = this.#parts;
    const { handle, index } = placeOf(interfaces, name, key);
    return { handle, indexOf: () => index, table: tableOf(scheduler, name) };
  }

  /** The namespace that a route's interfaces are in, and their indexes there. */
  #exits(key: string, hops: readonly PlainHop[]): Exits {
    const places = new Map(
      hops.map(({ interface: name }) => [name, placeOf(this.#parts.interfaces, name, key, "next_hops")]),
    );
    const [handle, ...others] = new Map(
      [...places.values()].map((place) => [place.handle.identity, place.handle]),
    ).values();
    if (others.length > 0) {
      const message = `${key}: next_hops: the interfaces ${[...places.keys()].join(", ")} are in different namespaces`;
      throw new InvalidInputError("ROUTE_NAMESPACES", message, { key, field: "next_hops" });
    }
    return { handle, indexOf: (name) => places.get(name)?.index ?? 0 };
  }
}

interface Exits {
  /** `undefined` for a route that leads nowhere. */
  readonly handle: NamespaceHandle | undefined;
  readonly indexOf: (interfaceName: string) => number;
}

/** The one interface that a route leaves by. */
interface Exit extends Exits {
  /** Of routes that name none. */
  readonly table: number;
}

const NONE: readonly Dependency[] = [];

const DONE: PromiseSettledResult<void> = { status: "fulfilled", value: undefined };

/** The same answer for all routes of a table: one object, not a hundred thousand. */
class SharedResults {
  readonly #results = new Map<number, PromiseSettledResult<RouteMetadata>>();

  of(table: number): PromiseSettledResult<RouteMetadata> {
    let result = this.#results.get(table);
    if (result === undefined) {
      result = { status: "fulfilled", value: { table } };
      this.#results.set(table, result);
    }
    return result;
  }
}

/** That a network is on the link of an interface, derived from a route: what gateways depend on. There is nothing to do for it. */
export class LinkLocalRouteDescriptor implements Descriptor {
  readonly name = "linux-link-local-route";
  readonly prefix = LINK_LOCAL_ROUTE_PREFIX;
}

/** The network in the key of a route: address and length are its first two parts. */
function networkIn(key: string): string {
  const length = key.indexOf("/", ROUTE_PREFIX.length) + 1;
  return key.slice(ROUTE_PREFIX.length, key.indexOf("/", length));
}
