import type { HealthState, PluginHealth } from "#core/health/types.js";
import type { Api } from "../api.js";
import { HttpReply } from "../exchange.js";
import type { RouteTable } from "../route-table.js";

/** What Ligato's probes call the states. */
const LIGATO_STATE: Readonly<Record<HealthState, string>> = {
  starting: "INIT",
  ok: "OK",
  degraded: "OK",
  failed: "ERROR",
  closed: "ERROR",
};

/**
 * Probes for a supervisor. 200: yes; 500: no, and it will not become so by itself; 503 (readiness only): not yet. A bus
 * that is away makes a plugin `degraded`, which neither probe minds.
 */
export function healthRoutes(routes: RouteTable, api: Api): void {
  routes.get("/liveness", () => HttpReply.json(probe(api), api.health.live ? 200 : 500));
  routes.get("/readiness", () => HttpReply.json(probe(api), readiness(api)));
}

function readiness({ health }: Api): number {
  if (health.ready) return 200;
  return health.live ? 503 : 500;
}

/** Ligato's names at the top (`state`, `PluginStatus`), then what we know beyond them. */
function probe({ health, info }: Api): object {
  const plugins = health.plugins();
  const failed = plugins.find((plugin) => plugin.state === "failed");
  return {
    build_version: info.version,
    state: LIGATO_STATE[health.state],
    start_time: unixSeconds(info.startedAt),
    last_change: Math.max(0, ...plugins.map((plugin) => unixSeconds(plugin.since))),
    ...(failed === undefined ? {} : { error: `${failed.plugin}: ${failed.reason}` }),
    PluginStatus: Object.fromEntries(plugins.map((plugin) => [plugin.plugin, pluginStatus(plugin)])),
    label: info.label,
    live: health.live,
    ready: health.ready,
    health: health.state,
  };
}

function pluginStatus({ plugin, state, reason, since }: PluginHealth): object {
  return {
    name: plugin,
    state: LIGATO_STATE[state],
    last_change: unixSeconds(since),
    health: state,
    ...(reason === "" ? {} : { error: reason }),
  };
}

function unixSeconds(time: string): number {
  return Math.floor(Date.parse(time) / 1000);
}
