import { InvalidInputError, SouthboundError } from "#core/errors.js";
import type { Scheduler } from "#core/scheduler/api/scheduler.js";
import type { Route as KernelRoute, NamespaceHandle } from "#plugins/netlink/index.js";
import { canonicalNetwork, ROUTE_PREFIX, type Route } from "#proto/index.js";
import type { Contest } from "../contest.js";
import type { InterfaceIndex } from "../interfaces/index.js";
import { isCode } from "../namespaces/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import type { ValueLeases } from "./leases.js";
import { tableOfRoute } from "./outgoing-link.js";
import { plainRoute } from "./route-kernel.js";

/** Of a value that the kernel cannot tell from another one. */
export const SAME_ROUTE = "SAME_ROUTE";

export interface DuplicateRoutesParts {
  readonly interfaces: InterfaceIndex;
  readonly scheduler: Pick<Scheduler, "desired" | "statuses">;
  readonly leases: ValueLeases;
  readonly duplicateValues: Contest;
}

/**
 * Routes of ours to one destination. The kernel tells them apart by table and metric, and takes one for each: a value that means the
 * same as another one fails, and names it.
 */
export class DuplicateRoutes {
  /** IPv4 networks that a route with a metric leads to, or once led to. */
  private readonly withMetric = new Set<string>();

  constructor(private readonly parts: DuplicateRoutesParts) {}

  /** A route is in the kernel. */
  came(key: string, { dst_network: destination = "", metric }: Route): void {
    this.parts.duplicateValues.won(key);
    if (metric && !destination.includes(":")) this.withMetric.add(canonicalNetwork(destination) ?? destination);
  }

  /**
   * A route could not be added: throws why. One in its place that no value means, and that has our mark, is put in order: an agent that
   * was killed had made it, by an interface that nobody had named to this one when it looked.
   */
  async takeOver(
    key: string,
    value: Route,
    cause: unknown,
    handle: NamespaceHandle,
    request: KernelRoute,
  ): Promise<void> {
    if (!isCode(cause, "EEXIST")) throw cause;
    const lost = this.lost(key, value, handle.identity);
    if (lost !== undefined) throw lost;
    if (await isMarked(handle, request)) return handle.routeReplace(request);
    const shownMetric = value.metric === undefined ? "the same metric" : `metric ${value.metric}`;
    const message = `another route to ${request.destination} with ${shownMetric} is there already, which is left alone`;
    throw new SouthboundError("EEXIST", `${key}: ${message}`, { key, field: "dst_network", cause });
  }

  /** Why a route cannot be there: another value of ours is. */
  lost(key: string, value: Route, identity: string): InvalidInputError | undefined {
    const { destination, metric } = plainRoute(value);
    const duplicate = this.duplicateOf(key, value, identity);
    if (duplicate === undefined) return undefined;
    this.parts.duplicateValues.lost(key, duplicate);
    const place = `${destination} in the same table with metric ${metric}`;
    const message = `${duplicate} is the same route to the kernel: ${place}; give one of them another table or metric, or delete it`;
    return new InvalidInputError(SAME_ROUTE, `${key}: ${message}`, { key, field: "dst_network" });
  }

  /**
   * The kernel takes an IPv4 route that is to be removed and has no metric for one with any (fib_nh_match in net/ipv4/fib_semantics.c): when
   * ours is gone already, another one of ours would go in its place.
   */
  mayHit({ destination, metric }: KernelRoute): boolean {
    return metric === undefined && this.withMetric.size > 0 && this.withMetric.has(destination);
  }

  /** False when removing it would hit another one. */
  async isStillThere(handle: NamespaceHandle, request: KernelRoute): Promise<boolean> {
    if (!this.mayHit(request)) return true;
    const { destination, table, protocol, linkIndex } = request;
    const routes = await handle.routeList({
      ...(protocol === undefined ? {} : { protocol }),
      ...(table === undefined ? {} : { table }),
      ...(linkIndex === undefined ? {} : { linkIndex }),
    });
    return routes.some((route) => route.destination === destination && route.metric === undefined);
  }

  private duplicateOf(key: string, value: Route, identity: string): string | undefined {
    const { scheduler } = this.parts;
    const own = plainRoute(value);
    const table = tableOfRoute(scheduler, own);
    const others = scheduler.statuses(`${ROUTE_PREFIX}${own.destination}/`);
    return others.find((other) => {
      // One that is being made at this moment has no state yet, and waits for nothing.
      if (other.key === key || other.error !== "" || other.details.length > 0) return false;
      const desired: Route | undefined = scheduler.desired(other.key);
      if (desired === undefined) return false;
      const plain = plainRoute(desired);
      const [hop] = plain.hops;
      const place =
        hop === undefined
          ? this.parts.leases.get(other.key)?.handle.identity
          : this.parts.interfaces.get(hop.interface)?.namespaceIdentity;
      return plain.metric === own.metric && place === identity && tableOfRoute(scheduler, plain) === table;
    })?.key;
  }
}

/** Is what the kernel has in the place of a route an agent's? */
async function isMarked(handle: NamespaceHandle, { destination, table, metric }: KernelRoute): Promise<boolean> {
  const family = destination.includes(":") ? "inet6" : "inet";
  const routes = await handle.routeList({
    family,
    protocol: TENUTO_PROTOCOL,
    ...(table === undefined ? {} : { table }),
  });
  return routes.some((each) => each.destination === destination && each.metric === metric);
}
