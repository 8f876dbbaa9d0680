import { InvalidInputError } from "#core/errors.js";
import type { FlagName, Scheduler } from "#core/scheduler/api/scheduler.js";
import { toDot } from "#core/scheduler/index.js";
import { turnBetween } from "#core/slices.js";
import type { Api } from "../api.js";
import { NotFoundError } from "../errors.js";
import { HttpReply } from "../exchange.js";
import { graphMessage } from "../graph/message.js";
import { toSvg } from "../graph/svg.js";
import { recordedNode, recordedNodes } from "../ligato-graph.js";
import { argument, numberArgument, oneOf, timeArgument } from "../query.js";
import type { RouteTable } from "../route-table.js";

const FLAGS = [
  "last-update",
  "value-state",
  "error",
  "unavailable",
  "descriptor",
  "derived",
] as const satisfies readonly FlagName[];

/**
 * Values in a picture. Drawing holds the agent up (10,000 for a second on two busy cores), and nobody can read more.
 */
const MOST_DRAWN = 2_000;

/** What the scheduler knew, and when, under Ligato's paths, with its arguments and the field names of its answers. */
export function graphRoutes(routes: RouteTable, { scheduler }: Api): void {
  routes.get("/scheduler/key-timeline", ({ query }) => {
    const records = scheduler.timeline(mandatory(query, "key"));
    const time = timeArgument(argument(query, "time"), "time");
    if (time === undefined) return records.map((record) => recordedNode(record));
    const then = records.find(({ since, until }) => since <= time && (until === undefined || time < until));
    // Ligato has null for a key that was not there.
    return then === undefined ? null : recordedNode(then);
  });

  routes.get("/scheduler/graph-snapshot", async ({ query }) =>
    recordedNodes(await scheduler.snapshot(timeArgument(argument(query, "time"), "time"))),
  );

  routes.get("/scheduler/graph", ({ query }) => graph(scheduler, query));

  routes.get("/scheduler/flag-stats", ({ query }) => {
    const name = oneOf(mandatory(query, "flag"), FLAGS, "flag");
    const prefixes = query.getAll("prefix");
    const { total, perValue } = scheduler.flagStatistics(name, prefixes.length === 0 ? undefined : prefixes);
    return { TotalCount: total, PerValueCount: perValue };
  });
}

/** The graph now, at a time, or as a transaction left it. A picture unless asked for otherwise, as from Ligato. */
async function graph(scheduler: Scheduler, query: URLSearchParams): Promise<object> {
  const format = oneOf(argument(query, "format") ?? "svg", ["svg", "dot", "json"], "format");
  const number = numberArgument(argument(query, "txn"), "txn");
  const at = number === undefined ? timeArgument(argument(query, "time"), "time") : endOf(scheduler, number);
  const snapshot = await scheduler.snapshot(at);
  await turnBetween(snapshot.values.length);
  if (format === "json") return graphMessage(snapshot);
  if (format === "dot") return HttpReply.of("text/vnd.graphviz; charset=utf-8", toDot(snapshot));
  if (snapshot.values.length > MOST_DRAWN) {
    throw new InvalidInputError(
      "TOO_LARGE",
      `${snapshot.values.length} values are too many for a picture; ask for format=dot or json`,
      { field: "format" },
    );
  }
  return HttpReply.of("image/svg+xml; charset=utf-8", toSvg(snapshot));
}

function endOf(scheduler: Scheduler, seq: number): number {
  const [record] = scheduler.history({ seq });
  if (record !== undefined) return record.stop;
  throw new NotFoundError("UNKNOWN_TRANSACTION", `the history has no transaction ${seq}`);
}

function mandatory(query: URLSearchParams, name: string): string {
  const text = argument(query, name);
  if (text !== undefined && text !== "") return text;
  throw new InvalidInputError("BAD_ARGUMENT", `the argument ${name} is missing`, { field: name });
}
