import { InvalidInputError } from "#core/errors.js";
import type { Route as KernelRoute, NextHop } from "#plugins/netlink/index.js";
import { canonicalAddress, canonicalNetwork, type Route, type RouteScope, type RouteType } from "#proto/index.js";
import { namespaceText } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";

/** RT_TABLE_MAIN of linux/rtnetlink.h. */
export const MAIN_TABLE = 254;
/** IP6_RT_PRIO_USER of linux/ipv6_route.h: the metric of an IPv6 route that asks for none. */
const IPV6_DEFAULT_METRIC = 1024;
/** RTA_METRICS of linux/rtnetlink.h with NLA_F_NESTED, and RTAX_MTU inside it. */
const RTA_METRICS = 8;
const NESTED = 0x8000;
const RTAX_MTU = 2;

/** RT_SCOPE_* of linux/rtnetlink.h. */
const SCOPES: Readonly<Record<Exclude<RouteScope, "UNDEFINED">, number>> = {
  GLOBAL: 0,
  SITE: 200,
  LINK: 253,
  HOST: 254,
};

/** RTN_* of linux/rtnetlink.h. */
export const UNICAST = 1;
const TYPES: Readonly<Record<RouteType, number>> = { UNICAST, BLACKHOLE: 6, UNREACHABLE: 7, PROHIBIT: 8 };

/** Where a route leads: by an interface, and there to a gateway or (empty) to whoever is on the link. */
export interface PlainHop {
  /** Logical name. */
  readonly interface: string;
  readonly gateway: string;
  readonly weight: number;
  readonly onLink: boolean;
}

/** A route with every default filled in and every address in its canonical spelling: equal routes are equal field by field. */
export interface PlainRoute {
  readonly destination: string;
  readonly type: RouteType;
  readonly metric: number;
  /** Only IPv4 has scopes; 0 for IPv6. */
  readonly scope: number;
  /** 0: that of the VRF, or the main table. */
  readonly table: number;
  /** Logical name of the VRF that it says it is in. */
  readonly vrf: string;
  readonly preferredSource: string;
  /** Bytes; 0: what the interface allows. */
  readonly mtu: number;
  /** None for a routes without a next hop. In the order of their interfaces and gateways. */
  readonly hops: readonly PlainHop[];
  /** Of a routes without a next hop, as text. */
  readonly namespace: string;
}

/**
 * True for a route without a gateway: its destination is on the link, so that gateways may be in it. Of IPv4 routes the scope says
 * so, if it is given; IPv6 has none.
 */
export function isOnLink(route: Route): boolean {
  if (hasNoNexthop(route)) return false;
  const { scope, dst_network: destination = "" } = route;
  if (scope !== undefined && scope !== "UNDEFINED" && !destination.includes(":")) return scope === "LINK";
  return hopsOf(route).every(({ gateway }) => gateway === "");
}

/** Throws `InvalidInputError` for a route that validation would have refused. */
export function plainRoute(route: Route): PlainRoute {
  const destination = canonicalNetwork(route.dst_network ?? "");
  if (destination === undefined) {
    throw new InvalidInputError("ROUTE_DESTINATION", `${route.dst_network} is no network`, { field: "dst_network" });
  }
  const ipv6 = destination.includes(":");
  return {
    destination,
    type: typeOf(route),
    metric: route.metric || (ipv6 ? IPV6_DEFAULT_METRIC : 0),
    scope: ipv6 ? SCOPES.GLOBAL : scopeNumber(route),
    table: route.table ?? 0,
    vrf: route.vrf ?? "",
    preferredSource: canonicalAddress(route.preferred_source ?? "") ?? "",
    mtu: route.mtu ?? 0,
    hops: hopsOf(route),
    namespace: hasNoNexthop(route) ? namespaceText(route.namespace) : "",
  };
}

export function typeOf({ type = "UNICAST" }: Route): RouteType {
  return type;
}

/** It has no interface: packets that match end here. */
export function hasNoNexthop(route: Route): boolean {
  return typeOf(route) !== "UNICAST";
}

/** Its next hops come and go one by one; one that was found may have none at the moment. */
export function isMultipath(route: Route): boolean {
  return route.next_hops !== undefined && !hasNoNexthop(route);
}

/** The hops of a route, a single one too, in an order that does not depend on how they were written. */
export function hopsOf(route: Route): readonly PlainHop[] {
  if (hasNoNexthop(route)) return [];
  if (route.next_hops === undefined) return [plainHop(route, 1)];
  return route.next_hops.map((hop) => plainHop(hop, hop.weight || 1)).sort(byInterfaceAndGateway);
}

function plainHop(hop: Pick<Route, "outgoing_interface" | "gw_addr" | "on_link">, weight: number): PlainHop {
  const { outgoing_interface: name = "", gw_addr: gateway = "", on_link: onLink = false } = hop;
  return { interface: name, gateway: gatewayOf(gateway), weight, onLink };
}

/** Canonical. The address of nobody (`0.0.0.0`, `::`) is how Ligato writes that there is no gateway. */
function gatewayOf(text: string): string {
  const address = canonicalAddress(text) ?? text;
  return address === "0.0.0.0" || address === "::" ? "" : address;
}

function byInterfaceAndGateway(a: PlainHop, b: PlainHop): number {
  const [first, second] = [`${a.interface} ${a.gateway}`, `${b.interface} ${b.gateway}`];
  return first < second ? -1 : first > second ? 1 : 0;
}

export function scopeNumber(route: Route): number {
  const { scope } = route;
  if (scope === undefined || scope === "UNDEFINED") return isOnLink(route) ? SCOPES.LINK : SCOPES.GLOBAL;
  return SCOPES[scope];
}

/** Where a route goes in the kernel. */
export interface RouteTarget {
  readonly table: number;
  /** Index of the link of each hop's interface. */
  readonly indexOf: (interfaceName: string) => number;
}

/** A request while it is being put together: field by field, which is many times as fast as by spreading. */
type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** The kernel's request for a route of ours. */
export function kernelRoute(route: PlainRoute, { table, indexOf }: RouteTarget): KernelRoute {
  const request: Draft<KernelRoute> = routeIdentity(route, table);
  const [first, ...others] = route.hops;
  request.scope = route.scope;
  if (others.length > 0) request.nextHops = route.hops.map((hop) => kernelHop(hop, indexOf(hop.interface)));
  else if (first !== undefined) fillHop(request, first, indexOf(first.interface));
  if (route.preferredSource !== "") request.preferredSource = route.preferredSource;
  if (route.mtu !== 0) request.unknown = new Map([[RTA_METRICS | NESTED, mtuMetric(route.mtu)]]);
  return request;
}

/** What the kernel tells routes apart by. */
export function routeIdentity({ destination, type, metric }: PlainRoute, table: number): KernelRoute {
  const identity = { destination, table, type: TYPES[type], protocol: TENUTO_PROTOCOL };
  return metric === 0 ? identity : { ...identity, metric };
}

/** One of several. */
export function kernelHop(hop: PlainHop, linkIndex: number): NextHop {
  return fillHop({}, hop, linkIndex);
}

/** Fills in where a route leads. */
function fillHop(target: Draft<NextHop>, { gateway, weight, onLink }: PlainHop, linkIndex: number): NextHop {
  target.linkIndex = linkIndex;
  if (gateway !== "") target.gateway = gateway;
  if (weight !== 1) target.weight = weight;
  if (onLink) target.onLink = onLink;
  return target;
}

/** One attribute inside RTA_METRICS: length, number, value. */
function mtuMetric(mtu: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, bytes.length, true);
  view.setUint16(2, RTAX_MTU, true);
  view.setUint32(4, mtu, true);
  return bytes;
}

function mtuOf({ unknown = new Map() }: KernelRoute): number {
  const metrics = unknown.get(RTA_METRICS) ?? unknown.get(RTA_METRICS | NESTED);
  if (metrics === undefined) return 0;
  const view = new DataView(metrics.buffer, metrics.byteOffset, metrics.byteLength);
  for (let at = 0; at + 8 <= view.byteLength; ) {
    const length = view.getUint16(at, true);
    if ((view.getUint16(at + 2, true) & ~NESTED) === RTAX_MTU) return view.getUint32(at + 4, true);
    at += Math.max(4, (length + 3) & ~3);
  }
  return 0;
}

/** How to say what the kernel has. */
export interface RouteNames {
  /** Logical name of the interface of a link; `undefined` when it is not ours. */
  readonly nameOf: (linkIndex: number) => string | undefined;
  /** The table of a route that names none. */
  readonly tableOf: (interfaceName: string) => number;
}

/**
 * The value of a route that the kernel has. What the kernel fills in by itself is left out again. `undefined` when it leaves by
 * an interface that is not ours.
 */
export function routeValue(route: KernelRoute, { nameOf, tableOf }: RouteNames): Route | undefined {
  const type = (Object.keys(TYPES) as RouteType[]).find((name) => TYPES[name] === (route.type ?? TYPES.UNICAST));
  if (type === undefined) return undefined;
  const ipv6 = route.destination.includes(":");
  const hops = type === "UNICAST" ? namedHops(route, nameOf) : [];
  const [first] = hops;
  if (type === "UNICAST" && first === undefined) return undefined;
  const metric = ipv6 && route.metric === IPV6_DEFAULT_METRIC ? 0 : (route.metric ?? 0);
  const table = route.table ?? MAIN_TABLE;
  const impliedTable = first === undefined ? MAIN_TABLE : tableOf(first.name);
  const mtu = mtuOf(route);
  const value: Route = {
    ...(type === "UNICAST" ? nexthopLinks(hops) : { type }),
    dst_network: canonicalNetwork(route.destination) ?? route.destination,
    ...(metric === 0 ? {} : { metric }),
    ...(table === impliedTable ? {} : { table }),
    ...(route.preferredSource === undefined ? {} : { preferred_source: canonical(route.preferredSource) }),
    ...(mtu === 0 ? {} : { mtu }),
  };
  const scope = ipv6 ? undefined : scopeName(route.scope ?? 0);
  return scope === undefined || scopeNumber(value) === SCOPES[scope] ? value : { ...value, scope };
}

interface NamedHop extends NextHop {
  readonly name: string;
}

/** None when the route leaves by an interface that is not ours; in IPv6 others may have added their hops to ours. */
function namedHops(route: KernelRoute, nameOf: RouteNames["nameOf"]): readonly NamedHop[] {
  const hops = route.nextHops ?? [route];
  const named = hops.flatMap((hop): readonly NamedHop[] => {
    const name = hop.linkIndex === undefined ? undefined : nameOf(hop.linkIndex);
    return name === undefined ? [] : [{ ...hop, name }];
  });
  return named.length === hops.length || route.destination.includes(":") ? named : [];
}

function nexthopLinks(hops: readonly NamedHop[]): Partial<Route> {
  const written = hops.map(({ name, gateway, onLink, weight = 1 }) => ({
    outgoing_interface: name,
    ...(gateway === undefined ? {} : { gw_addr: canonical(gateway) }),
    ...(weight === 1 ? {} : { weight }),
    ...(onLink ? { on_link: true } : {}),
  }));
  return written.length === 1 ? { ...written[0] } : { next_hops: written };
}

function canonical(address: string): string {
  return canonicalAddress(address) ?? address;
}

function scopeName(scope: number): Exclude<RouteScope, "UNDEFINED"> | undefined {
  return (Object.keys(SCOPES) as Exclude<RouteScope, "UNDEFINED">[]).find((name) => SCOPES[name] === scope);
}
