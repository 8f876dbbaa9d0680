import type { RetrievedValue, Scheduler } from "#core/scheduler/api/scheduler.js";
import type { Route as KernelRoute, NamespaceHandle, RouteFilter } from "#plugins/netlink/index.js";
import { type NetNamespace, type Route, routeModel } from "#proto/index.js";
import type { Contest } from "../contest.js";
import type { InterfaceIndex } from "../interfaces/index.js";
import { type Namespaces, namespaceText, type SurveyedNamespace } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import { KnownRoutes } from "./known-routes.js";
import type { ValueLeases } from "./leases.js";
import { namespacesInUse, tableOf, tableOfRoute } from "./outgoing-link.js";
import { hasNoNexthop, hopsOf, MAIN_TABLE, type PlainRoute, plainRoute, routeValue } from "./route-kernel.js";
import { type Listed, type ListOurs, listing, OURS, recalling, sorted } from "./route-lists.js";
import { type MatchedRoute, markForeign, matched, means, type Whereabouts } from "./route-matching.js";
import { RouteMemories } from "./route-memory.js";

export interface RouteMetadata {
  /** Number of the routing table that it is in. */
  readonly table: number;
}

export type RetrievedRoute = RetrievedValue<Route, RouteMetadata>;

export interface RouteReaderParts {
  readonly interfaces: InterfaceIndex;
  readonly scheduler: Pick<Scheduler, "desired" | "statuses">;
  readonly namespaces: Namespaces;
  readonly leases: ValueLeases;
  readonly duplicateValues: Contest;
}

/** More interfaces than this are read with one dump of everything. */
const FEW = 8;

/** Reads the routes of ours: those of our protocol that leave by interfaces of ours, or lead withoutNexthop. */
export class RouteReader {
  private readonly memories = new RouteMemories();

  constructor(private readonly parts: RouteReaderParts) {}

  /**
   * @param all values that are desired or were there when last looked at; the latter have metadata.
   * @param partly nothing but the expected values is of interest.
   */
  async read(all: readonly RetrievedRoute[], partly: boolean): Promise<readonly RetrievedRoute[]> {
    const { duplicateValues } = this.parts;
    if (!duplicateValues.isOpen) return this.readThose(all, partly);
    const isMaybeThere = ({ key }: RetrievedRoute): boolean => !duplicateValues.isOut(key);
    return (await this.readThose(all.filter(isMaybeThere), partly)).filter(isMaybeThere);
  }

  private async readThose(expected: readonly RetrievedRoute[], partly: boolean): Promise<readonly RetrievedRoute[]> {
    if (partly) {
      const known = new KnownRoutes(expected);
      const listOurs = listing(this.parts, known);
      return this.readRoutes(known, partly, listOurs, this.listPart(known, listOurs));
    }
    const known = this.memories.begin(expected);
    const listOurs = recalling(this.parts, known, this.memories);
    const read = await this.readRoutes(known, partly, listOurs, this.listAll(listOurs));
    known.rest();
    return read;
  }

  private async readRoutes(
    known: KnownRoutes,
    partly: boolean,
    listOurs: ListOurs,
    through: Promise<readonly Listed[]>,
  ): Promise<readonly RetrievedRoute[]> {
    const { withoutNexthop } = known;
    const isLookedAt = !partly || withoutNexthop.length > 0;
    const surveyed = isLookedAt ? await this.parts.namespaces.survey(withoutNexthop, { named: !partly }) : [];
    try {
      const [listed, withoutNexthop] = await Promise.all([through, this.readWithoutNexthop(surveyed, listOurs)]);
      return await this.sorted(known, listed, withoutNexthop);
    } finally {
      for (const { lease } of surveyed) lease.release();
    }
  }

  private async sorted(
    { expected }: KnownRoutes,
    listed: readonly Listed[],
    withoutNexthop: readonly FoundWithoutNexthop[],
  ): Promise<readonly RetrievedRoute[]> {
    const exact = listed.flatMap((each) => each.exact);
    const others = listed.flatMap(({ handle, rest }) => rest.flatMap((route) => this.describe(route, handle) ?? []));
    if (exact.length === expected.length && others.length === 0 && withoutNexthop.length === 0) return exact;
    const keys = new Set<string>();
    for (const { key } of exact) keys.add(key);
    const inPlaces = matched([...others, ...withoutNexthop], expected, this.whereabouts(withoutNexthop), keys);
    await this.keepOpen(inPlaces, withoutNexthop);
    const found = [...exact, ...inPlaces];
    for (const { key } of inPlaces) keys.add(key);
    const vanished = expected.filter(({ key, metadata }) => metadata !== undefined && !keys.has(key));
    const mixed = await this.readMixed(
      expected.filter(({ key, metadata }) => metadata === undefined && !keys.has(key)),
    );
    return [...found, ...mixed, ...(vanished.length === 0 ? [] : await this.readReplaced(vanished))];
  }

  /**
   * IPv6 routes of ours that others have next hops in are told under the protocol of the first hop, which may be another's. One that
   * was there before the agent started is ours when it has all of our hops.
   */
  private async readMixed(unfound: readonly RetrievedRoute[]): Promise<readonly RetrievedRoute[]> {
    const maybe = new Map(unfound.filter(({ value }) => mayBeMixed(value)).map((each) => [each.key, each]));
    if (maybe.size === 0) return [];
    const handles = new Map(
      [...namesOf([...maybe.values()])].flatMap((name) => {
        const handle = this.parts.interfaces.namespaceOf(name);
        return handle === undefined ? [] : [[handle.identity, handle] as const];
      }),
    );
    const lists = await Promise.all([...handles.values()].map((handle) => this.listMixed(handle)));
    const found = matched(lists.flat(), [...maybe.values()], this.whereabouts([]), []);
    return found.filter(({ key, value }) => {
      const expected = maybe.get(key)?.value;
      return expected !== undefined && means(value, expected) && hopsOf(value).length === hopsOf(expected).length;
    });
  }

  private async listMixed(handle: NamespaceHandle): Promise<readonly MatchedRoute[]> {
    const routes = await handle.routeList({ family: "inet6" });
    const several = routes.filter(({ nextHops, protocol }) => nextHops !== undefined && protocol !== TENUTO_PROTOCOL);
    return several.flatMap((route) => this.describe(route, handle) ?? []);
  }

  /** Where the kernel would have an expected value, as far as that is known. */
  private whereabouts(
    withoutNexthop: readonly FoundWithoutNexthop[],
  ): (route: RetrievedRoute, plain: PlainRoute) => Whereabouts {
    const identities = new Map<string, string>();
    for (const { names, identity } of withoutNexthop) {
      for (const name of names) identities.set(namespaceText(name), identity);
    }
    return ({ value }, plain) => {
      const { hops } = plain;
      const { interfaces } = this.parts;
      const present = hops.find((hop) => interfaces.get(hop.interface) !== undefined);
      const identity =
        hops.length === 0
          ? identities.get(namespaceText(value.namespace))
          : interfaces.get(present?.interface ?? "")?.namespaceIdentity;
      return { identity, table: tableOfRoute(this.parts.scheduler, plain) };
    };
  }

  /** Routes that rest on no interface keep their namespaces open. */
  private async keepOpen(
    routes: readonly RetrievedRoute[],
    withoutNexthop: readonly FoundWithoutNexthop[],
  ): Promise<void> {
    if (withoutNexthop.length === 0) return;
    const identities = new Map(
      withoutNexthop.flatMap(({ names, identity }) => names.map((name) => [namespaceText(name), identity] as const)),
    );
    await Promise.all(
      routes.map(async ({ key, value }) => {
        const identity = hasNoNexthop(value) ? identities.get(namespaceText(value.namespace)) : undefined;
        if (identity !== undefined) await this.parts.leases.adopt(key, value.namespace, identity);
      }),
    );
  }

  private listAll(listOurs: ListOurs): Promise<readonly Listed[]> {
    return Promise.all(namespacesInUse(this.parts.interfaces).map(listOurs));
  }

  private async listPart(known: KnownRoutes, listOurs: ListOurs): Promise<readonly Listed[]> {
    const names = namesOf(known.expected);
    if (names.size > FEW) return this.listAll(listOurs);
    const lists = await Promise.all([...names].map((name) => this.list(name, OURS)));
    return lists.flat().map(({ handle, routes }) => sorted(this.parts, handle, routes, known));
  }

  /**
   * Routes of others in the very place of ours that have vanished: they were put there by replacing ours, which the kernel does
   * without regard to the protocol. They are ours, changed.
   */
  private async readReplaced(vanished: readonly RetrievedRoute[]): Promise<readonly RetrievedRoute[]> {
    const byKey = new Map(vanished.map((each) => [each.key, each]));
    const lists = await Promise.all([...namesOf(vanished)].map((name) => this.list(name, {})));
    const found = lists
      .flat()
      .flatMap(({ handle, routes }) => routes.flatMap((route) => this.describe(route, handle) ?? []));
    const inPlace = matched(found, vanished, this.whereabouts([]), []);
    // In the order of what was found.
    for (const [index, { value }] of inPlace.entries()) if (found[index]?.isForeign === true) markForeign(value);
    return inPlace.filter(({ key, value }) => {
      const desired = byKey.get(key)?.value;
      return desired !== undefined && plainRoute(value).type === plainRoute(desired).type;
    });
  }

  /** The routes that leave by an interface; none when it is not there. */
  private async list(name: string, filter: RouteFilter): Promise<readonly InterfaceRoutes[]> {
    const handle = this.parts.interfaces.namespaceOf(name);
    const linkIndex = this.parts.interfaces.get(name)?.index;
    if (handle === undefined || linkIndex === undefined) return [];
    return [{ handle, routes: await handle.routeList({ ...filter, linkIndex }) }];
  }

  private describe(route: KernelRoute, { identity }: NamespaceHandle): MatchedRoute | undefined {
    const { interfaces, scheduler } = this.parts;
    const value = routeValue(route, {
      nameOf: (index) => interfaces.byIndex(identity, index)?.name,
      tableOf: (name) => tableOf(scheduler, name),
    });
    if (value === undefined || hasNoNexthop(value)) return undefined;
    // Of an IPv6 route with hops of several the kernel shows the protocol of the first.
    const isForeign = route.protocol !== TENUTO_PROTOCOL && route.nextHops === undefined;
    return { route: retrieved(value, route), identity, isForeign };
  }

  private async readWithoutNexthop(
    surveyed: readonly SurveyedNamespace[],
    listOurs: ListOurs,
  ): Promise<readonly FoundWithoutNexthop[]> {
    const found = surveyed.map(async ({ references: names, lease: { handle } }) => {
      const { rest } = await listOurs(handle);
      const [namespace] = names;
      return rest.flatMap((route): FoundWithoutNexthop[] => {
        const value = routeValue(route, { nameOf: () => undefined, tableOf: () => MAIN_TABLE });
        if (value === undefined || !hasNoNexthop(value)) return [];
        const placed = namespace === undefined ? value : { ...value, namespace };
        return [{ route: retrieved(placed, route), identity: handle.identity, names }];
      });
    });
    return (await Promise.all(found)).flat();
  }
}

/** With every reference to the namespace that it is in. */
interface FoundWithoutNexthop extends MatchedRoute {
  readonly names: readonly (NetNamespace | undefined)[];
}

interface InterfaceRoutes {
  readonly handle: NamespaceHandle;
  readonly routes: readonly KernelRoute[];
}

/** An IPv6 route by gateways. */
function mayBeMixed(value: Route): boolean {
  return value.dst_network?.includes(":") === true && hopsOf(value).some(({ gateway }) => gateway !== "");
}

/** The interfaces that routes leave by. */
function namesOf(routes: readonly RetrievedRoute[]): ReadonlySet<string> {
  return new Set(routes.flatMap(({ value }) => hopsOf(value).map((hop) => hop.interface)));
}

function retrieved(value: Route, { destination, table = MAIN_TABLE }: KernelRoute): RetrievedRoute {
  const key = routeModel.prefix + routeModel.nameOf({ ...value, dst_network: destination });
  return { key, value, origin: "northbound", metadata: { table } };
}
