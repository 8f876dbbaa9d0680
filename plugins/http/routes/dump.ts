import type { RetrievedValue } from "#core/scheduler/api/scheduler.js";
import type { Api } from "../api.js";
import type { RouteTable } from "../route-table.js";

/** Path, key prefix, and what Ligato calls value and metadata in the answer. */
const DUMPS = [
  {
    path: "/dump/linux/v2/interfaces",
    prefix: "config/linux/interfaces/v2/interface/",
    value: "interface",
    meta: "interface_meta",
  },
  { path: "/dump/linux/v2/routes", prefix: "config/linux/l3/v2/route/", value: "Route", meta: "Meta" },
  { path: "/dump/linux/v2/arps", prefix: "config/linux/l3/v2/arp/", value: "ARP", meta: "Meta" },
] as const;

/** What the kernel has, read anew, as Ligato's `/dump/linux/v2` shows it. */
export function dumpRoutes(routes: RouteTable, api: Api): void {
  for (const { path, prefix, value, meta } of DUMPS) {
    routes.get(path, async () => {
      const found = await api.scheduler.dump("southbound", prefix);
      return found.map((one: RetrievedValue) => ({ key: one.key, [value]: one.value, [meta]: one.metadata ?? null }));
    });
  }
}
