import { isDeepStrictEqual } from "node:util";
import type { RetrievedValue, Scheduler } from "#core/scheduler/types.js";
import type { Route as KernelRoute, NamespaceHandle, RouteFilter } from "#plugins/netlink/index.js";
import { type NetNamespace, type Route, routeModel } from "#proto/index.js";
import type { InterfaceIndex } from "../interfaces/index.js";
import { type Namespaces, namespaceText } from "../namespaces/index.js";
import { KnownRoutes } from "./known-routes.js";
import type { ValueLeases } from "./leases.js";
import { placesOf, tableOf } from "./place.js";
import { hopsOf, leadsNowhere, MAIN_TABLE, type PlainRoute, plainRoute, routeValue, UNICAST } from "./route-kernel.js";
import { type Listed, type ListOurs, listing, OURS, recalling, sorted } from "./route-lists.js";
import { RouteMemories } from "./route-memory.js";

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
  readonly #memories = new RouteMemories();

  constructor(private readonly parts: RouteReaderParts) {}

  /**
   * @param expected values that are wanted or were there when last looked at; the latter have metadata.
   * @param partly nothing but the expected values is of interest.
   */
  async read(expected: readonly RetrievedRoute[], partly: boolean): Promise<readonly RetrievedRoute[]> {
    if (partly) {
      const known = new KnownRoutes(expected);
      const listOurs = listing(this.parts, known);
      return this.#read(known, partly, listOurs, this.#listPart(known, listOurs));
    }
    const known = this.#memories.begin(expected);
    const listOurs = recalling(this.parts, known, this.#memories);
    const read = await this.#read(known, partly, listOurs, this.#listAll(listOurs));
    known.rest();
    return read;
  }

  async #read(
    known: KnownRoutes,
    partly: boolean,
    listOurs: ListOurs,
    through: Promise<readonly Listed[]>,
  ): Promise<readonly RetrievedRoute[]> {
    const { expected, nowhere } = known;
    const [listed, leadingNowhere] = await Promise.all([
      through,
      partly && nowhere.length === 0 ? [] : this.#readNowhere(nowhere, partly, listOurs),
    ]);
    const exact = listed.flatMap((each) => each.exact);
    const others = listed.flatMap(({ handle, rest }) => rest.flatMap((route) => this.#describe(route, handle) ?? []));
    if (exact.length === expected.length && others.length === 0 && leadingNowhere.length === 0) return exact;
    const { byKey } = known;
    const found = chosen([...exact, ...others.map((each) => spelled(each, byKey)), ...leadingNowhere], byKey);
    const keys = new Set<string>();
    for (const { key } of found) keys.add(key);
    const vanished = expected.filter(({ key, metadata }) => metadata !== undefined && !keys.has(key));
    return vanished.length === 0 ? found : [...found, ...(await this.#readReplaced(vanished))];
  }

  #listAll(listOurs: ListOurs): Promise<readonly Listed[]> {
    return Promise.all(placesOf(this.parts.interfaces).map(listOurs));
  }

  async #listPart(known: KnownRoutes, listOurs: ListOurs): Promise<readonly Listed[]> {
    const names = namesOf(known.expected);
    if (names.size > FEW) return this.#listAll(listOurs);
    const lists = await Promise.all([...names].map((name) => this.#list(name, OURS)));
    return lists.flat().map(({ handle, routes }) => sorted(this.parts, handle, routes, known));
  }

  /**
   * Routes of others in the very place of ours that have vanished: they were put there by replacing ours, which the kernel does
   * without regard to the protocol. They are ours, changed.
   */
  async #readReplaced(vanished: readonly RetrievedRoute[]): Promise<readonly RetrievedRoute[]> {
    const byKey = new Map(vanished.map((each) => [each.key, each]));
    const lists = await Promise.all([...namesOf(vanished)].map((name) => this.#list(name, {})));
    const found = lists
      .flat()
      .flatMap(({ handle, routes }) => routes.flatMap((route) => this.#describe(route, handle) ?? []));
    const inPlace = found
      .map((each) => spelled(each, byKey))
      .filter(({ key, value }) => {
        const wanted = byKey.get(key)?.value;
        return wanted !== undefined && isSamePlace(plainRoute(value), plainRoute(wanted));
      });
    return [...new Map(inPlace.map((each) => [each.key, each])).values()];
  }

  /** The routes that leave by an interface; none when it is not there. */
  async #list(name: string, filter: RouteFilter): Promise<readonly InterfaceRoutes[]> {
    const handle = this.parts.interfaces.namespaceOf(name);
    const linkIndex = this.parts.interfaces.get(name)?.index;
    if (handle === undefined || linkIndex === undefined) return [];
    return [{ handle, routes: await handle.routeList({ ...filter, linkIndex }) }];
  }

  #describe(route: KernelRoute, handle: NamespaceHandle): RetrievedRoute | undefined {
    const { interfaces, scheduler } = this.parts;
    const value = routeValue(route, {
      nameOf: (index) => interfaces.byIndex(handle.identity, index)?.name,
      tableOf: (name) => tableOf(scheduler, name),
    });
    if (value === undefined || leadsNowhere(value)) return undefined;
    return retrieved(value, route);
  }

  async #readNowhere(
    references: readonly (NetNamespace | undefined)[],
    partly: boolean,
    listOurs: ListOurs,
  ): Promise<readonly RetrievedRoute[]> {
    const surveyed = await this.parts.namespaces.survey(references, { named: !partly });
    try {
      const found = await Promise.all(
        surveyed.map(async ({ references: names, lease: { handle } }) => {
          const { rest } = await listOurs(handle);
          const leading = rest.filter(({ type }) => type !== UNICAST);
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

interface InterfaceRoutes {
  readonly handle: NamespaceHandle;
  readonly routes: readonly KernelRoute[];
}

/** The interfaces that routes leave by. */
function namesOf(routes: readonly RetrievedRoute[]): ReadonlySet<string> {
  return new Set(routes.flatMap(({ value }) => hopsOf(value).map((hop) => hop.interface)));
}

type ByKey = ReadonlyMap<string, RetrievedRoute>;

function retrieved(value: Route, { destination, table = MAIN_TABLE }: KernelRoute): RetrievedRoute {
  const key = routeModel.prefix + routeModel.nameOf({ ...value, dst_network: destination });
  return { key, value, origin: "northbound", metadata: { table } };
}

/** A table that the wanted value names is named, also when it is the one that would be taken anyway. */
function spelled(found: RetrievedRoute, expected: ByKey): RetrievedRoute {
  const table = expected.get(found.key)?.value.table;
  if (!table || found.value.table !== undefined || found.metadata?.table !== table) return found;
  return { ...found, value: { ...found.value, table } };
}

/**
 * One route for each key: of several (the same network by the same interface, in another table or with another metric, left by a
 * change that was interrupted) the one that is wanted. The others get keys that nobody wants, so that a resync removes them.
 */
function chosen(all: readonly RetrievedRoute[], expected: ByKey): readonly RetrievedRoute[] {
  const byKey = new Map<string, RetrievedRoute>();
  const others: RetrievedRoute[] = [];
  for (const found of all) {
    const known = byKey.get(found.key);
    const wanted = expected.get(found.key)?.value;
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
