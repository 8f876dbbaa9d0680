import type { Scheduler, TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { ARP_PREFIX, INTERFACE_PREFIX, parseRouteKey, ROUTE_PREFIX } from "#proto/index.js";
import { INTERFACE_PORT_PREFIX, UNNUMBERED_ADDRESSES_PREFIX } from "../interfaces/index.js";

/**
 * Keys of the neighbour entries and routes that the agent's own work may have cost.
 *
 * - When the MAC address of a link changes, the kernel forgets all its neighbours, also the static ones (`neigh_changeaddr` in
 *   net/core/neighbour.c): after an update of the link, and of a bridge or bond, or its port, when the port comes or goes.
 * - With its last IPv4 address a link loses IPv4 routes and neighbours (`fib_disable_ip` in net/ipv4/fib_frontend.c): after an
 *   unnumbered one has returned what it donated. Those that rest on addresses of the link's own are made anew with them.
 */
export function flushed(
  { executed }: Pick<TransactionRecord, "executed">,
  scheduler: Pick<Scheduler, "statuses">,
): readonly string[] {
  const changed = new Set<string>();
  const returned = new Set<string>();
  for (const { operation, key } of executed) {
    if (operation === "UPDATE" && key.startsWith(INTERFACE_PREFIX)) changed.add(key.slice(INTERFACE_PREFIX.length));
    else if (key.startsWith(INTERFACE_PORT_PREFIX)) {
      for (const name of key.slice(INTERFACE_PORT_PREFIX.length).split("/")) changed.add(name);
    } else if (operation === "DELETE" && key.startsWith(UNNUMBERED_ADDRESSES_PREFIX)) {
      returned.add(key.slice(UNNUMBERED_ADDRESSES_PREFIX.length));
    }
  }
  const configured = (prefix: string): readonly string[] =>
    scheduler.statuses(prefix).flatMap(({ key, state }) => (state === "CONFIGURED" ? [key] : []));
  const routes = returned.size === 0 ? [] : configured(ROUTE_PREFIX);
  return [
    ...[...changed, ...returned].flatMap((name) => configured(`${ARP_PREFIX}${name}/`)),
    ...routes.filter((key) => returned.has(parseRouteKey(key)?.outgoingInterface ?? "")),
  ];
}
