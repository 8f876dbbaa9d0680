import { isDeepStrictEqual } from "node:util";
import { canonicalNetwork, ROUTE_PREFIX, type Route, type RouteNextHop, routeModel } from "#proto/index.js";
import { hasNoNexthop, hopsOf, isMultipath, type PlainHop, type PlainRoute, plainRoute } from "./route-kernel.js";
import type { RetrievedRoute } from "./route-retrieval.js";

/** A route of the kernel in words of ours, and where it was found. */
export interface MatchedRoute {
  /** It has another protocol number than ours: somebody has put it there in place of ours. */
  readonly isForeign?: boolean;
  readonly route: RetrievedRoute;
  /** Identity of the namespace. */
  readonly identity: string;
}

/** Where the kernel would have a value: identity of the namespace, `undefined` when that is not there, and table. */
export interface Whereabouts {
  readonly identity: string | undefined;
  readonly table: number;
}

/**
 * Gives routes of the kernel the keys of the values that they are. The kernel tells routes apart by namespace, table, destination and
 * metric: what is in the place of an expected value is that value, as it is or changed. Of several in one place (IPv4 can append)
 * the one that is as expected is chosen first. The others get keys that nobody wants, so that a resync removes them.
 *
 * @param settled keys of values that were found already.
 */
export function matched(
  found: readonly MatchedRoute[],
  expected: readonly RetrievedRoute[],
  whereabouts: (route: RetrievedRoute, plain: PlainRoute) => Whereabouts,
  settled: Iterable<string>,
): readonly RetrievedRoute[] {
  const places = expectedPlaces(found, expected, whereabouts);
  const keys: (string | undefined)[] = found.map(() => undefined);
  const taken = new Set(settled);
  for (const fits of [means, leavesAlike, anything]) {
    for (const [index, { route, identity }] of found.entries()) {
      if (keys[index] !== undefined) continue;
      const candidates = places.get(routeId(identity, route.metadata?.table ?? 0, plainRoute(route.value))) ?? [];
      const match = candidates.find(
        (each) => !taken.has(each.key) && fits(spelledAs(route.value, each.value), each.value),
      );
      if (match === undefined) continue;
      taken.add(match.key);
      keys[index] = match.key;
    }
  }
  const known = new Map(expected.map((each) => [each.key, each.value]));
  return found.map(({ route }, index) => {
    const key = keys[index];
    const value = key === undefined ? undefined : known.get(key);
    if (key !== undefined && value !== undefined) return { ...route, key, value: spelledAs(route.value, value) };
    return { ...route, key: freeKey(route, taken, known) };
  });
}

function expectedPlaces(
  found: readonly MatchedRoute[],
  expected: readonly RetrievedRoute[],
  whereabouts: (route: RetrievedRoute, plain: PlainRoute) => Whereabouts,
): ReadonlyMap<string, readonly RetrievedRoute[]> {
  const networks = new Set(found.map(({ route }) => route.value.dst_network));
  const places = new Map<string, RetrievedRoute[]>();
  for (const each of expected) {
    const { dst_network: destination = "" } = each.value;
    if (!networks.has(canonicalNetwork(destination) ?? destination)) continue;
    const plain = plainRoute(each.value);
    const { identity, table } = whereabouts(each, plain);
    if (identity === undefined) continue;
    const place = routeId(identity, table, plain);
    const others = places.get(place) ?? [];
    // What was there when last looked at comes before what is only desired.
    places.set(place, each.metadata === undefined ? [...others, each] : [each, ...others]);
  }
  return places;
}

function routeId(identity: string, table: number, { destination, metric }: PlainRoute): string {
  return `${identity} ${table} ${destination} ${metric}`;
}

/**
 * How a value says where it is, table or VRF, and which namespace, is said as the expected one says it. Of an IPv6 route that others
 * have next hops in, these are left out.
 */
function spelledAs(value: Route, expected: Route): Route {
  const { table, vrf, namespace } = expected;
  const { table: _table, vrf: _vrf, namespace: _namespace, ...rest } = withHopsOf(value, expected);
  return {
    ...rest,
    ...(table === undefined ? {} : { table }),
    ...(vrf === undefined ? {} : { vrf }),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

function withHopsOf(value: Route, expected: Route): Route {
  const isListed = value.next_hops !== undefined;
  if (hasNoNexthop(value) || hasNoNexthop(expected) || (!isListed && !isMultipath(expected))) return value;
  const {
    next_hops: listed = [singleHop(value)],
    outgoing_interface: _name,
    gw_addr: _gw,
    on_link: _on,
    ...rest
  } = value;
  const desired = new Map(hopsOf(expected).map((hop) => [`${hop.interface} ${hop.gateway}`, hop]));
  const desiredOf = ({ outgoing_interface: name, gw_addr: gateway = "" }: RouteNextHop): PlainHop | undefined =>
    desired.get(`${name} ${gateway}`);
  const isMixed = value.dst_network?.includes(":") === true && listed.some((hop) => desiredOf(hop) !== undefined);
  const own = isMixed ? listed.filter((hop) => desiredOf(hop) !== undefined) : listed;
  // The kernel shows what is said of the first one only, and that may be another's.
  const whole = own.length === listed.length ? rest : { ...rest, ...ofWhole(expected) };
  const [only, ...others] = own;
  if (only === undefined || others.length > 0) return { ...whole, next_hops: own };
  const { weight: _weight, ...single } = only;
  if (!isMultipath(expected)) return { ...whole, ...single };
  // Of a single one the kernel shows no weight.
  const weight = listed.length === 1 ? desiredOf(only)?.weight : only.weight;
  return { ...whole, next_hops: [weight === undefined || weight === 1 ? single : { ...single, weight }] };
}

function ofWhole({ mtu, preferred_source }: Route): Route {
  return {
    ...(mtu === undefined ? {} : { mtu }),
    ...(preferred_source === undefined ? {} : { preferred_source }),
  };
}

function singleHop({ outgoing_interface, gw_addr, on_link }: Route): RouteNextHop {
  return {
    ...(outgoing_interface === undefined ? {} : { outgoing_interface }),
    ...(gw_addr === undefined ? {} : { gw_addr }),
    ...(on_link === undefined ? {} : { on_link }),
  };
}

/** A key that no expected value has, and none of those found. */
function freeKey({ value, metadata }: RetrievedRoute, taken: Set<string>, known: ReadonlyMap<string, unknown>): string {
  const key = ROUTE_PREFIX + routeModel.nameOf(value);
  let free = known.has(key) || taken.has(key) ? `${key}#${metadata?.table}/${value.metric ?? 0}` : key;
  for (let count = 2; taken.has(free); count++) free = `${key}#${metadata?.table}/${value.metric ?? 0}/${count}`;
  taken.add(free);
  return free;
}

function leavesAlike(a: Route, b: Route): boolean {
  const [plainA, plainB] = [plainRoute(a), plainRoute(b)];
  const namesOf = ({ hops }: PlainRoute): readonly string[] => hops.map((hop) => hop.interface);
  return plainA.type === plainB.type && isDeepStrictEqual(namesOf(plainA), namesOf(plainB));
}

function anything(): boolean {
  return true;
}

/** Values that were found under another protocol number: they are ours, changed, whatever else they say. */
const foreign = new WeakSet<Route>();

export function markForeign(value: Route): void {
  foreign.add(value);
}

/** Do both values mean the same route? Hops of a route that has several are parts of it, with a life of their own. */
export function means(a: Route, b: Route): boolean {
  if (isMultipath(a) !== isMultipath(b) || foreign.has(a) !== foreign.has(b)) return false;
  const [plainA, plainB] = [plainRoute(a), plainRoute(b)];
  return (
    plainA.destination === plainB.destination &&
    plainA.type === plainB.type &&
    plainA.metric === plainB.metric &&
    plainA.scope === plainB.scope &&
    plainA.table === plainB.table &&
    plainA.vrf === plainB.vrf &&
    plainA.preferredSource === plainB.preferredSource &&
    plainA.mtu === plainB.mtu &&
    plainA.namespace === plainB.namespace &&
    (isMultipath(a) || isDeepStrictEqual(plainA.hops, plainB.hops))
  );
}
