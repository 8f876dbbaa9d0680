import type { FastifyInstance } from "fastify";
import type { StatusFilter } from "#core/northbound/index.js";
import type { Api } from "../api.js";
import type { EventKind } from "../event-streams.js";
import { flagArgument, oneOf } from "../query.js";

const KINDS = [
  "interface",
  "value",
  "transaction",
  "drift",
  "ifmgr",
  "health",
  "deadletter",
] as const satisfies readonly EventKind[];

interface DumpQuery {
  readonly view?: string;
  readonly prefix?: string;
}

interface StatusQuery {
  readonly prefix?: string;
  readonly state?: string;
}

/** What is: values and their states, interfaces, the agent itself, and the stream of what happens. */
export function stateRoutes(server: FastifyInstance, api: Api): void {
  server.get("/v1/info", () => info(api));

  server.get<{ Querystring: StatusQuery }>("/v1/status", ({ query }) => api.northbound().status(statusFilter(query)));

  server.get<{ Querystring: DumpQuery }>("/v1/dump", ({ query }) => {
    const view = oneOf(query.view ?? "nb", ["nb", "sb", "cached"], "view");
    return api.northbound().dump(view, query.prefix);
  });

  server.get("/v1/interfaces", () => api.publisher.currentInterfaces().map(({ event }) => event.data));

  server.post<{ Querystring: { downstream?: string } }>("/v1/resync", ({ query }) =>
    api.northbound().resync({ downstream: flagArgument(query.downstream, "downstream") }),
  );

  eventRoute(server, api);
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

function statusFilter({ prefix, state }: StatusQuery): StatusFilter {
  return {
    ...(prefix === undefined ? {} : { prefix }),
    ...(state === undefined ? {} : { state: oneOf(state, ["pending", "failed"], "state") }),
  };
}

/** `?kind=interface&kind=value` limits the stream to these kinds; states of interfaces as they are now come first. */
function eventRoute(server: FastifyInstance, { publisher, streams }: Api): void {
  server.get<{ Querystring: { kind?: string | string[] } }>("/v1/events", (request, reply) => {
    const { kind } = request.query;
    const kinds = kind === undefined ? undefined : new Set([kind].flat().map((one) => oneOf(one, KINDS, "kind")));
    reply.hijack();
    streams.open(reply.raw, publisher.currentInterfaces(), kinds);
  });
}
