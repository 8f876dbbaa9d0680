import type { FastifyInstance } from "fastify";
import { InvalidInputError } from "#core/errors.js";
import type { GraphView } from "#core/scheduler/types.js";
import type { Api } from "../api.js";
import { NotFoundError } from "../errors.js";
import { ligatoRecord, ligatoStatus, ligatoValue, recordAsText } from "../ligato.js";
import { numberArgument, oneOf, timeArgument } from "../query.js";

const VIEWS: Readonly<Record<string, GraphView>> = { NB: "northbound", SB: "southbound", cached: "cached" };

interface DumpQuery {
  readonly view?: string;
  readonly descriptor?: string;
  readonly "key-prefix"?: string;
}

interface StatusQuery {
  readonly key?: string;
  readonly "key-prefix"?: string;
}

interface HistoryQuery {
  readonly "seq-num"?: string;
  readonly since?: string;
  readonly until?: string;
  readonly format?: string;
}

/** The scheduler's insides, under Ligato's paths, with its arguments and the field names of its answers. */
export function schedulerRoutes(server: FastifyInstance, api: Api): void {
  server.get<{ Querystring: DumpQuery }>("/scheduler/dump", ({ query }) => dump(api, query));

  server.get<{ Querystring: StatusQuery }>("/scheduler/status", ({ query }) => {
    if (query.key !== undefined) return ligatoStatus(api.scheduler.status(query.key));
    return api.scheduler.statuses(query["key-prefix"]).map(ligatoStatus);
  });

  server.get<{ Querystring: HistoryQuery }>("/scheduler/txn-history", ({ query }, reply) => {
    const records = history(api, query);
    if (oneOf(query.format ?? "json", ["json", "text"], "format") === "json") return records.map(ligatoRecord);
    return reply.type("text/plain; charset=utf-8").send(records.map(recordAsText).join("\n"));
  });

  // Ligato takes `retry` here to switch retries on. Ours are always on, so that the argument is accepted and changes nothing.
  server.post("/scheduler/downstream-resync", async () =>
    ligatoRecord(await api.scheduler.resyncDownstream("requested over HTTP")),
  );
}

async function dump({ scheduler }: Api, query: DumpQuery): Promise<object> {
  const { view, descriptor } = query;
  const descriptors = scheduler.descriptors();
  if (view === undefined && descriptor === undefined && query["key-prefix"] === undefined) {
    return {
      Descriptors: descriptors.map(({ name }) => name),
      KeyPrefixes: descriptors.map(({ prefix }) => prefix),
      Views: Object.keys(VIEWS),
    };
  }
  const graphView = VIEWS[view ?? "SB"];
  if (graphView === undefined) {
    throw new InvalidInputError("BAD_ARGUMENT", `view is "${view}"; expected one of ${Object.keys(VIEWS).join(", ")}`, {
      field: "view",
    });
  }
  const values = await scheduler.dump(graphView, query["key-prefix"] ?? prefixOf(descriptor, descriptors));
  return values.map(ligatoValue);
}

type Descriptors = ReturnType<Api["scheduler"]["descriptors"]>;

function prefixOf(descriptor: string | undefined, descriptors: Descriptors): string | undefined {
  if (descriptor === undefined) return undefined;
  const found = descriptors.find(({ name }) => name === descriptor);
  if (found !== undefined) return found.prefix;
  throw new NotFoundError(
    "UNKNOWN_DESCRIPTOR",
    `there is no descriptor "${descriptor}"; GET /scheduler/dump lists them`,
  );
}

function history({ scheduler }: Api, query: HistoryQuery): ReturnType<Api["scheduler"]["history"]> {
  const seq = numberArgument(query["seq-num"], "seq-num");
  const since = timeArgument(query.since, "since");
  const until = timeArgument(query.until, "until");
  const records = scheduler.history({
    ...(seq === undefined ? {} : { seq }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  });
  if (seq !== undefined && records.length === 0) {
    throw new NotFoundError("UNKNOWN_TRANSACTION", `the history has no transaction ${seq}`);
  }
  return records;
}
