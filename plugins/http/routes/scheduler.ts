import { InvalidInputError } from "#core/errors.js";
import type { GraphView } from "#core/scheduler/api/scheduler.js";
import type { Api } from "../api.js";
import { NotFoundError } from "../errors.js";
import { HttpReply } from "../exchange.js";
import { ligatoRecord, ligatoStatus, ligatoValue, recordAsText } from "../ligato.js";
import { argument, numberArgument, oneOf, timeArgument } from "../query.js";
import type { RouteTable } from "../route-table.js";

const VIEWS: Readonly<Record<string, GraphView>> = { NB: "northbound", SB: "southbound", cached: "cached" };

/** The scheduler's insides, under Ligato's paths, with its arguments and the field names of its answers. */
export function schedulerRoutes(routes: RouteTable, api: Api): void {
  routes.get("/scheduler/dump", ({ query }) => dump(api, query));

  routes.get("/scheduler/status", ({ query }) => {
    const key = argument(query, "key");
    if (key !== undefined) return ligatoStatus(api.scheduler.status(key));
    return api.scheduler.statuses(argument(query, "key-prefix")).map(ligatoStatus);
  });

  routes.get("/scheduler/txn-history", ({ query }) => {
    const records = history(api, query);
    const format = oneOf(argument(query, "format") ?? "json", ["json", "text"], "format");
    if (format === "json") return records.map(ligatoRecord);
    return HttpReply.of("text/plain; charset=utf-8", records.map(recordAsText).join("\n"));
  });

  // Ligato takes `retry` here to switch retries on. Ours are always on, so that the argument is accepted and changes nothing.
  routes.post("/scheduler/downstream-resync", async () =>
    ligatoRecord(await api.scheduler.resyncDownstream("requested over HTTP")),
  );
}

async function dump({ scheduler }: Api, query: URLSearchParams): Promise<object> {
  const [view, descriptor, prefix] = ["view", "descriptor", "key-prefix"].map((name) => argument(query, name));
  const descriptors = scheduler.descriptors();
  if (view === undefined && descriptor === undefined && prefix === undefined) {
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
  const values = await scheduler.dump(graphView, prefix ?? prefixOf(descriptor, descriptors));
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

function history({ scheduler }: Api, query: URLSearchParams): ReturnType<Api["scheduler"]["history"]> {
  const seq = numberArgument(argument(query, "seq-num"), "seq-num");
  const since = timeArgument(argument(query, "since"), "since");
  const until = timeArgument(argument(query, "until"), "until");
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
