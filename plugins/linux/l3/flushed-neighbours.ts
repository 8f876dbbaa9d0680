import type { Scheduler, TransactionRecord } from "#core/scheduler/types.js";
import { ARP_PREFIX, INTERFACE_PREFIX } from "#proto/index.js";
import { INTERFACE_PORT_PREFIX } from "../interfaces/index.js";

/**
 * Keys of the neighbour entries that the agent's own work may have cost. When the MAC address of a link changes, the kernel forgets all
 * its neighbours, also the static ones (`neigh_changeaddr` in net/core/neighbour.c): after an update of the link, and of a bridge
 * or bond, or its port, when the port comes or goes.
 */
export function flushedNeighbours(
  { executed }: Pick<TransactionRecord, "executed">,
  scheduler: Pick<Scheduler, "statuses">,
): readonly string[] {
  const names = new Set<string>();
  for (const { operation, key } of executed) {
    if (operation === "UPDATE" && key.startsWith(INTERFACE_PREFIX)) names.add(key.slice(INTERFACE_PREFIX.length));
    else if (key.startsWith(INTERFACE_PORT_PREFIX)) {
      for (const name of key.slice(INTERFACE_PORT_PREFIX.length).split("/")) names.add(name);
    }
  }
  return [...names].flatMap((name) =>
    scheduler.statuses(`${ARP_PREFIX}${name}/`).flatMap(({ key, state }) => (state === "CONFIGURED" ? [key] : [])),
  );
}
