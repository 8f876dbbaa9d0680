import type { ResyncOptions, StatusFilter } from "#core/northbound/index.js";
import type { Api } from "../api.js";
import { contentType, parseIfJson } from "../body.js";
import type { EventKind } from "../event-streams.js";
import { HttpReply, type Request } from "../exchange.js";
import { argument, flagArgument, oneOf } from "../query.js";
import type { RouteTable } from "../route-table.js";

const KINDS = [
  "interface",
  "value",
  "transaction",
  "drift",
  "ifmgr",
  "health",
  "deadletter",
] as const satisfies readonly EventKind[];

/** What is: values and their states, interfaces, the agent itself, and the stream of what happens. */
export function stateRoutes(routes: RouteTable, api: Api): void {
  routes.get("/v1/info", () => info(api));

  routes.get("/v1/status", ({ query }) => api.northbound().status(statusFilter(query)));

  routes.get("/v1/dump", ({ query }) => {
    const view = oneOf(argument(query, "view") ?? "nb", ["nb", "sb", "cached"], "view");
    return api.northbound().dump(view, argument(query, "prefix"));
  });

  routes.get("/v1/interfaces", () => api.publisher.currentInterfaces().map(({ event }) => event.data));

  routes.post("/v1/resync", async (asked) => {
    const flag = (name: string): boolean => flagArgument(argument(asked.query, name), name);
    const options = { downstream: flag("downstream"), prune: flag("prune"), dry_run: flag("dry_run") };
    return await api.northbound().resync({ ...options, ...(await resyncRequest(api, asked)) });
  });

  eventRoute(routes, api);
}

/** The body, as over NATS; none is a request without argument. */
async function resyncRequest({ models }: Api, asked: Request): Promise<ResyncOptions> {
  if (asked.body.length === 0) return {};
  return models.decodeMessage("tenuto.v1.ResyncRequest", await parseIfJson(asked.body, contentType(asked)));
}

function info({ info: agent, health }: Api): object {
  return {
    label: agent.label,
    version: agent.version,
    flavor: agent.flavor,
    instance: agent.instance,
    started_at: agent.startedAt,
    health: health.state,
    plugins: agent.plugins,
    plugin_health: health.plugins(),
    configuration: agent.configuration,
  };
}

function statusFilter(query: URLSearchParams): StatusFilter {
  const prefix = argument(query, "prefix");
  const state = argument(query, "state");
  return {
    ...(prefix === undefined ? {} : { prefix }),
    ...(state === undefined ? {} : { state: oneOf(state, ["pending", "failed"], "state") }),
  };
}

/** `?kind=interface&kind=value` limits the stream to these kinds; states of interfaces as they are now come first. */
function eventRoute(routes: RouteTable, { publisher, streams }: Api): void {
  routes.get("/v1/events", ({ query }) => {
    const desired = query.getAll("kind").map((one) => oneOf(one, KINDS, "kind"));
    streams.admit();
    const kinds = desired.length === 0 ? undefined : new Set(desired);
    return HttpReply.stream((response) => streams.open(response, publisher.currentInterfaces(), kinds));
  });
}
