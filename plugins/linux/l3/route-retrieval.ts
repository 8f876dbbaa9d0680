import { isDeepStrictEqual } from "node:util";
import type { RetrievedValue, Scheduler } from "#core/scheduler/types.js";
import type { Route as KernelRoute, NamespaceHandle } from "#plugins/netlink/index.js";
import { type NetNamespace, type Route, routeModel } from "#proto/index.js";
import type { InterfaceIndex } from "../interfaces/index.js";
import { type Namespaces, namespaceText } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import { KnownRoutes } from "./known-routes.js";
import type { ValueLeases } from "./leases.js";
import { placesOf, tableOf } from "./place.js";
import { hopsOf, leadsNowhere, MAIN_TABLE, type PlainRoute, plainRoute, routeValue, UNICAST } from "./route-kernel.js";

export interface RouteMetadata {
  /** Number of the routing table that it is in. */
  readonly table: number;
}

export type RetrievedRoute = RetrievedValue<Route, RouteMetadata>;

export interface RouteReaderParts {
  readonly interfaces: InterfaceIndex;
  readonly scheduler: Pick<Scheduler, "wanted">;
  readonly namespaces: Namespaces;
  readonly leases: ValueLeases;
}

/** More interfaces than this are read with one dump of everything. */
const FEW = 8;

/** Reads the routes of ours: those of our protocol that leave by interfaces of ours, or lead nowhere. */
export class RouteReader {
  constructor(private readonly parts: RouteReaderParts) {}

  /**
   * @param expected wanted values; `present` are those that were there when last looked at.
   * @param partly nothing but the expected values is of interest.
   */
  async read(
    { expected, present }: { readonly expected: ReadonlyMap<string, Route>; readonly present: ReadonlySet<string> },
    partly: boolean,
  ): Promise<readonly RetrievedRoute[]> {
    const values = [...expected.values()];
    const known = new KnownRoutes(this.parts, expected);
    const listOurs = dumpOnce();
    const [{ exact, others }, nowhere] = await Promise.all([
      this.#readThroughInterfaces(values, partly, known, listOurs),
      partly && !values.some(leadsNowhere) ? [] : this.#readNowhere(values, partly, listOurs),
    ]);
    if (exact.length === expected.size && others.length === 0 && nowhere.length === 0) return exact;
    const all = [...exact, ...others.map((each) => spelled(each, expected)), ...nowhere];
    const found = chosen(all, expected);
    const keys = new Set<string>();
    for (const { key } of found) keys.add(key);
    const vanished = new Map<string, Route>();
    for (const [key, value] of expected) if (present.has(key) && !keys.has(key)) vanished.set(key, value);
    return vanished.size === 0 ? found : [...found, ...(await this.#readReplaced(vanished))];
  }

  async #readThroughInterfaces(
    values: readonly Route[],
    partly: boolean,
    known: KnownRoutes,
    listOurs: ListOurs,
  ): Promise<Described> {
    const names = new Set(partly ? values.flatMap((value) => hopsOf(value).map((hop) => hop.interface)) : []);
    const few = partly && names.size <= FEW;
    const filter = { protocol: TENUTO_PROTOCOL };
    const lists = few
      ? [...names].map((name) => this.#list(name, filter))
      : placesOf(this.parts.interfaces).map(listOurs);
    const found = await Promise.all(lists);
    const exact: RetrievedRoute[] = [];
    const others: RetrievedRoute[] = [];
    for (const { handle, routes } of found) {
      for (const route of routes) {
        const asWanted = known.find(route, handle);
        const other = asWanted === undefined ? this.#describe(route, handle) : undefined;
        if (asWanted !== undefined) exact.push(asWanted);
        else if (other !== undefined) others.push(other);
      }
    }
    return { exact, others };
  }

  /**
   * Routes of others in the very place of ours that have vanished: they were put there by replacing ours, which the kernel does
   * without regard to the protocol. They are ours, changed.
   */
  async #readReplaced(vanished: ReadonlyMap<string, Route>): Promise<readonly RetrievedRoute[]> {
    const names = new Set([...vanished.values()].flatMap((value) => hopsOf(value).map((hop) => hop.interface)));
    const lists = await Promise.all([...names].map((name) => this.#list(name, {})));
    const found = lists.flatMap(({ handle, routes }) => routes.flatMap((route) => this.#describe(route, handle) ?? []));
    const inPlace = found
      .map((each) => spelled(each, vanished))
      .filter(({ key, value }) => {
        const wanted = vanished.get(key);
        return wanted !== undefined && isSamePlace(plainRoute(value), plainRoute(wanted));
      });
    return [...new Map(inPlace.map((each) => [each.key, each])).values()];
  }

  async #list(name: string, filter: { readonly protocol?: number }): Promise<Listed> {
    const handle = this.parts.interfaces.namespaceOf(name);
    const linkIndex = this.parts.interfaces.get(name)?.index;
    if (handle === undefined || linkIndex === undefined) return { handle: undefined, routes: [] };
    return { handle, routes: await handle.routeList({ ...filter, linkIndex }) };
  }

  #describe(route: KernelRoute, handle: NamespaceHandle | undefined): RetrievedRoute | undefined {
    const { interfaces, scheduler } = this.parts;
    if (handle === undefined) return undefined;
    const value = routeValue(route, {
      nameOf: (index) => interfaces.byIndex(handle.identity, index)?.name,
      tableOf: (name) => tableOf(scheduler, name),
    });
    if (value === undefined || leadsNowhere(value)) return undefined;
    return retrieved(value, route);
  }

  async #readNowhere(
    values: readonly Route[],
    partly: boolean,
    listOurs: ListOurs,
  ): Promise<readonly RetrievedRoute[]> {
    const references = values.filter(leadsNowhere).map(({ namespace }) => namespace);
    const surveyed = await this.parts.namespaces.survey(references, { named: !partly });
    try {
      const found = await Promise.all(
        surveyed.map(async ({ references: names, lease: { handle } }) => {
          const { routes } = await listOurs(handle);
          const leading = routes.filter(({ type }) => type !== UNICAST);
          const namespace = names.find((name) => references.some((each) => isSame(each, name))) ?? names[0];
          return Promise.all(leading.map((route) => this.#adopt(route, handle, namespace)));
        }),
      );
      return found.flat().filter((route) => route !== undefined);
    } finally {
      for (const { lease } of surveyed) lease.release();
    }
  }

  async #adopt(
    route: KernelRoute,
    { identity }: NamespaceHandle,
    namespace: NetNamespace | undefined,
  ): Promise<RetrievedRoute | undefined> {
    const value = routeValue(route, { nameOf: () => undefined, tableOf: () => MAIN_TABLE });
    if (value === undefined) return undefined;
    const found = retrieved(namespace === undefined ? value : { ...value, namespace }, route);
    await this.parts.leases.adopt(found.key, namespace, identity);
    return found;
  }
}

interface Listed {
  readonly handle: NamespaceHandle | undefined;
  readonly routes: readonly KernelRoute[];
}

/** Routes by interfaces: those that are exactly as wanted, and the rest. */
interface Described {
  readonly exact: readonly RetrievedRoute[];
  readonly others: readonly RetrievedRoute[];
}

/** The routes of ours in a namespace. */
type ListOurs = (handle: NamespaceHandle) => Promise<Listed>;

/** Each namespace is read once, whoever asks. */
function dumpOnce(): ListOurs {
  const dumps = new Map<string, Promise<readonly KernelRoute[]>>();
  return async (handle) => {
    const dump = dumps.get(handle.identity) ?? handle.routeList({ protocol: TENUTO_PROTOCOL });
    dumps.set(handle.identity, dump);
    return { handle, routes: await dump };
  };
}

function retrieved(value: Route, { destination, table = MAIN_TABLE }: KernelRoute): RetrievedRoute {
  const key = routeModel.prefix + routeModel.nameOf({ ...value, dst_network: destination });
  return { key, value, origin: "northbound", metadata: { table } };
}

/** A table that the wanted value names is named, also when it is the one that would be taken anyway. */
function spelled(found: RetrievedRoute, expected: ReadonlyMap<string, Route>): RetrievedRoute {
  const table = expected.get(found.key)?.table;
  if (!table || found.value.table !== undefined || found.metadata?.table !== table) return found;
  return { ...found, value: { ...found.value, table } };
}

/**
 * One route for each key: of several (the same network by the same interface, in another table or with another metric, left by a
 * change that was interrupted) the one that is wanted. The others get keys that nobody wants, so that a resync removes them.
 */
function chosen(all: readonly RetrievedRoute[], expected: ReadonlyMap<string, Route>): readonly RetrievedRoute[] {
  const byKey = new Map<string, RetrievedRoute>();
  const others: RetrievedRoute[] = [];
  for (const found of all) {
    const known = byKey.get(found.key);
    const wanted = expected.get(found.key);
    const better = known === undefined || (wanted !== undefined && means(found.value, wanted));
    if (better) byKey.set(found.key, found);
    const worse = better ? known : found;
    if (worse !== undefined) others.push(leftover(worse));
  }
  return [...byKey.values(), ...others];
}

function leftover(found: RetrievedRoute): RetrievedRoute {
  return { ...found, key: `${found.key}#${found.metadata?.table}/${found.value.metric ?? 0}` };
}

/** Do both values mean the same route? */
export function means(a: Route, b: Route): boolean {
  const [plainA, plainB] = [plainRoute(a), plainRoute(b)];
  return (
    plainA.destination === plainB.destination &&
    plainA.type === plainB.type &&
    plainA.metric === plainB.metric &&
    plainA.scope === plainB.scope &&
    plainA.table === plainB.table &&
    plainA.preferredSource === plainB.preferredSource &&
    plainA.mtu === plainB.mtu &&
    plainA.namespace === plainB.namespace &&
    isDeepStrictEqual(plainA.hops, plainB.hops)
  );
}

function isSamePlace(a: PlainRoute, b: PlainRoute): boolean {
  return a.metric === b.metric && a.table === b.table && a.type === b.type;
}

function isSame(a: NetNamespace | undefined, b: NetNamespace | undefined): boolean {
  return namespaceText(a) === namespaceText(b);
}
