import { InvalidInputError, SouthboundError } from "#core/errors.js";
import type { Dependency, Descriptor, KeyedValue } from "#core/scheduler/api/scheduler.js";
import type { Route as KernelRoute, NamespaceHandle } from "#plugins/netlink/index.js";
import {
  INTERFACE_STATE_PREFIX,
  interfaceKey,
  interfaceStateKey,
  linkLocalRouteKey,
  type Route,
} from "#proto/index.js";
import type { InterfaceIndex } from "../interfaces/index.js";
import { isCode } from "../namespaces/index.js";
import type { DuplicateRoutes } from "./duplicate-routes.js";
import { outgoingLink } from "./outgoing-link.js";
import { gatewayDependencies } from "./reachable.js";
import {
  hopsOf,
  isMultipath,
  isOnLink,
  kernelHop,
  kernelRoute,
  type PlainHop,
  type PlainRoute,
  plainRoute,
  routeIdentity,
} from "./route-kernel.js";

/** Of the next hops of routes that have several. */
export const ROUTE_HOP_PREFIX = "linux/route-hop/";

/** What deleting a hop says when it is gone already: with its link, its namespace or its gateway. */
const GONE = ["ESRCH", "ENODEV", "ENETUNREACH", "EINVAL"] as const;

/** One next hop, derived from its route. */
export interface RouteHop extends PlainHop {
  /** Key of the route. */
  readonly route: string;
  readonly isOnLink: boolean;
  readonly network: string;
}

export function routeHopKey(route: string, { interface: name, gateway }: PlainHop): string {
  return `${ROUTE_HOP_PREFIX}${name}/${gateway || "link"}/${route}`;
}

export function routeHops(key: string, value: Route): readonly KeyedValue<RouteHop>[] {
  if (!isMultipath(value)) return [];
  const { destination: network } = plainRoute(value);
  const onLink = isOnLink(value);
  return hopsOf(value).map((hop) => ({
    key: routeHopKey(key, hop),
    value: { ...hop, route: key, network, isOnLink: onLink && hop.gateway === "" },
  }));
}

/** What a hop, or the route that has nothing but it, waits for. */
export function hopDependencies({ interface: name, gateway, onLink }: PlainHop): readonly Dependency[] {
  return [
    { label: `interface ${name}`, key: interfaceKey(name) },
    { label: `interface ${name} to be up`, key: interfaceStateKey(name, true) },
    ...(onLink || gateway === "" ? [] : gatewayDependencies(gateway, name)),
  ];
}

/** What a route with several hops waits for: each of them waits for what is its own. */
export function anyHop(value: Route): Dependency {
  const names = [...new Set(hopsOf(value).map((hop) => hop.interface))];
  const keys = new Set(names.map((name) => interfaceStateKey(name, true)));
  return {
    label: `one of the interfaces ${names.join(", ")} to be up`,
    anyOf: { prefixes: [INTERFACE_STATE_PREFIX], matches: (key) => keys.has(key) },
  };
}

/** A route of which some hops are in the kernel. */
interface PartialRoute {
  readonly value: Route;
  readonly route: PlainRoute;
  readonly table: number;
  /** By their keys. */
  readonly hops: ReadonlyMap<string, PlainHop>;
}

/**
 * Routes with several next hops: which of their hops are in the kernel. A route is there with the hops that can be there.
 *
 * IPv4 has a route as a whole, and it is written anew for every hop. In IPv6 each hop is a route of its own, and what others add with the
 * same metric is shown as one with ours (net/ipv6/ip6_fib.c, fib6_add_rt2node): ours come and go one by one.
 */
export class RouteHops {
  private readonly routes = new Map<string, PartialRoute>();
  /** What is under way for each route. */
  private readonly turns = new Map<string, Promise<void>>();

  constructor(
    private readonly interfaces: InterfaceIndex,
    private readonly duplicates: DuplicateRoutes,
  ) {}

  /** A route was made or found; in the latter case with the hops that it has. */
  know(key: string, value: Route, table: number, found?: Route): void {
    const hops =
      found === undefined
        ? this.routes.get(key)?.hops
        : new Map(hopsOf(found).map((hop) => [routeHopKey(key, hop), hop]));
    this.routes.set(key, { value, route: plainRoute(value), table, hops: hops ?? new Map() });
  }

  forget(key: string): void {
    this.routes.delete(key);
  }

  /** What is said of the whole route has changed: every hop that is there is written again. */
  rewrite(key: string, value: Route, table: number): Promise<void> {
    return this.inTurn(key, async () => {
      const before = this.routes.get(key);
      this.know(key, value, table);
      const now = this.routes.get(key);
      if (before === undefined || now === undefined || now.hops.size === 0) return;
      if (!isIpv6(now.route)) return this.write(key, now);
      for (const hop of now.hops.values()) {
        await this.removeIpv6(before, hop);
        await this.addIpv6(key, now, hop, false);
      }
    });
  }

  add(key: string, { route: routeKey, ...rest }: RouteHop): Promise<void> {
    return this.inTurn(routeKey, async () => {
      const known = this.routes.get(routeKey);
      if (known === undefined) throw new SouthboundError("ENOENT", `${routeKey} is not there to take ${key}`, { key });
      const hop = plainHopOf(rest);
      const isFirst = known.hops.size === 0;
      this.refuseOtherNamespace(routeKey, known, hop);
      const withHop = { ...known, hops: new Map([...known.hops, [key, hop]]) };
      if (isIpv6(known.route)) await this.addIpv6(routeKey, known, hop, isFirst);
      else await this.write(routeKey, withHop, isFirst);
      this.routes.set(routeKey, withHop);
    });
  }

  change(key: string, before: RouteHop, after: RouteHop): Promise<void> {
    return this.inTurn(after.route, async () => {
      const known = this.routes.get(after.route);
      if (known === undefined) return;
      const now = { ...known, hops: new Map([...known.hops, [key, plainHopOf(after)]]) };
      if (isIpv6(known.route)) {
        await this.removeIpv6(known, before);
        await this.addIpv6(after.route, known, plainHopOf(after), false);
      } else await this.write(after.route, now);
      this.routes.set(after.route, now);
    });
  }

  remove(key: string, hop: RouteHop): Promise<void> {
    return this.inTurn(hop.route, async () => {
      const known = this.routes.get(hop.route);
      if (known === undefined) return;
      const hops = new Map(known.hops);
      hops.delete(key);
      const rest = { ...known, hops };
      if (isIpv6(known.route)) await this.removeIpv6(known, hop);
      // The kernel has dropped the whole route with a link that went, and tells nobody: then this brings it back.
      else if (hops.size > 0) await this.write(hop.route, rest);
      else await this.removeAll(known, hop);
      this.routes.set(hop.route, rest);
    });
  }

  private async write(key: string, { value, route, table, hops }: PartialRoute, isNew = false): Promise<void> {
    const list = [...hops.values()];
    const [first] = list;
    if (first === undefined) return;
    const { handle } = outgoingLink(this.interfaces, first.interface, key, "next_hops");
    const request = kernelRoute({ ...route, hops: list }, { table, indexOf: (name) => this.indexOf(name, key) });
    try {
      await (isNew ? handle.routeAdd(request) : handle.routeReplace(request));
    } catch (error) {
      await this.duplicates.takeOver(key, value, error, handle, request);
    }
  }

  private async addIpv6(
    key: string,
    { value, route, table }: PartialRoute,
    hop: PlainHop,
    isNew: boolean,
  ): Promise<void> {
    const { handle } = outgoingLink(this.interfaces, hop.interface, key, "next_hops");
    const request = oneHop(route, hop, table, this.indexOf(hop.interface, key));
    try {
      await (isNew ? handle.routeAdd(request) : handle.routeAppend(request));
    } catch (error) {
      if (!isNew) throw error;
      await this.duplicates.takeOver(key, value, error, handle, request);
    }
  }

  private async removeIpv6({ route, table }: PartialRoute, hop: PlainHop): Promise<void> {
    const linkIndex = this.interfaces.get(hop.interface)?.index;
    const handle = this.interfaces.namespaceOf(hop.interface);
    if (linkIndex === undefined || handle === undefined) return;
    const gateway = hop.gateway === "" ? {} : { gateway: hop.gateway };
    await unlessGone(handle.routeDel({ ...routeIdentity(route, table), linkIndex, ...gateway }));
  }

  private async removeAll({ route, table }: PartialRoute, hop: PlainHop): Promise<void> {
    const handle = this.interfaces.namespaceOf(hop.interface);
    const request = routeIdentity(route, table);
    if (handle === undefined || !(await this.duplicates.isStillThere(handle, request))) return;
    await unlessGone(handle.routeDel(request));
  }

  private refuseOtherNamespace(key: string, { hops }: PartialRoute, hop: PlainHop): void {
    const own = this.interfaces.get(hop.interface)?.namespaceIdentity;
    for (const other of hops.values()) {
      if ((this.interfaces.get(other.interface)?.namespaceIdentity ?? own) === own) continue;
      const names = [other.interface, hop.interface].join(", ");
      const message = `${key}: next_hops: the interfaces ${names} are in different namespaces`;
      throw new InvalidInputError("ROUTE_NAMESPACES", message, { key, field: "next_hops" });
    }
  }

  private indexOf(name: string, key: string): number {
    return outgoingLink(this.interfaces, name, key, "next_hops").index;
  }

  private async inTurn(key: string, work: () => Promise<void>): Promise<void> {
    const before = this.turns.get(key) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.turns.set(key, turn);
    try {
      await turn;
    } finally {
      if (this.turns.get(key) === turn) this.turns.delete(key);
    }
  }
}

/** The next hops of routes that have several: each waits for its interface and its gateway, and goes with them. */
export class RouteHopDescriptor implements Descriptor<RouteHop, undefined> {
  readonly name = "linux-route-hop";
  readonly prefix = ROUTE_HOP_PREFIX;

  constructor(private readonly hops: RouteHops) {}

  dependencies(_key: string, hop: RouteHop): readonly Dependency[] {
    return hopDependencies(hop);
  }

  /** A hop to the link makes gateways in the route's network reachable. */
  derivedValues(_key: string, { interface: name, network, isOnLink: isLink }: RouteHop): readonly KeyedValue[] {
    return isLink ? [{ key: linkLocalRouteKey(name, network), value: {} }] : [];
  }

  async create(key: string, hop: RouteHop): Promise<undefined> {
    await this.hops.add(key, hop);
  }

  async update(key: string, before: RouteHop, after: RouteHop): Promise<undefined> {
    await this.hops.change(key, before, after);
  }

  delete(key: string, hop: RouteHop): Promise<void> {
    return this.hops.remove(key, hop);
  }
}

/** A route by one hop, with all that is said of the whole. Only a list of hops has weights. */
function oneHop(route: PlainRoute, hop: PlainHop, table: number, linkIndex: number): KernelRoute {
  const request = kernelRoute({ ...route, hops: [] }, { table, indexOf: () => linkIndex });
  return { ...request, nextHops: [kernelHop(hop, linkIndex)] };
}

/** Removes a hop of ours from an IPv6 route that others may have hops in. */
export async function removeHop(handle: NamespaceHandle, request: KernelRoute): Promise<void> {
  await unlessGone(handle.routeDel(request));
}

function plainHopOf({ interface: name, gateway, weight, onLink }: PlainHop): PlainHop {
  return { interface: name, gateway, weight, onLink };
}

function isIpv6({ destination }: PlainRoute): boolean {
  return destination.includes(":");
}

async function unlessGone(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isCode(error, ...GONE)) throw error;
  }
}
