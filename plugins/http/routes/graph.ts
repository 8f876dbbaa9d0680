import type { FastifyInstance, FastifyReply } from "fastify";
import { InvalidInputError } from "#core/errors.js";
import { toDot } from "#core/scheduler/index.js";
import type { FlagName, Scheduler } from "#core/scheduler/types.js";
import type { Api } from "../api.js";
import { NotFoundError } from "../errors.js";
import { graphMessage } from "../graph/message.js";
import { toSvg } from "../graph/svg.js";
import { recordedNode, recordedNodes } from "../ligato-graph.js";
import { numberArgument, oneOf, timeArgument } from "../query.js";

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

interface TimelineQuery {
  readonly key?: string;
  readonly time?: string;
}

interface GraphQuery {
  readonly format?: string;
  readonly time?: string;
  readonly txn?: string;
}

interface FlagQuery {
  readonly flag?: string;
  readonly prefix?: string | readonly string[];
}

/** What the scheduler knew, and when, under Ligato's paths, with its arguments and the field names of its answers. */
export function graphRoutes(server: FastifyInstance, { scheduler }: Api): void {
  server.get<{ Querystring: TimelineQuery }>("/scheduler/key-timeline", ({ query }) => {
    const records = scheduler.timeline(mandatory(query.key, "key"));
    const time = timeArgument(query.time, "time");
    if (time === undefined) return records.map((record) => recordedNode(record));
    const then = records.find(({ since, until }) => since <= time && (until === undefined || time < until));
    // Ligato has null for a key that was not there.
    return then === undefined ? null : recordedNode(then);
  });

  server.get<{ Querystring: { time?: string } }>("/scheduler/graph-snapshot", ({ query }) =>
    recordedNodes(scheduler.snapshot(timeArgument(query.time, "time"))),
  );

  server.get<{ Querystring: GraphQuery }>("/scheduler/graph", ({ query }, reply) => graph(scheduler, query, reply));

  server.get<{ Querystring: FlagQuery }>("/scheduler/flag-stats", ({ query: { flag, prefix } }) => {
    const name = oneOf(mandatory(flag, "flag"), FLAGS, "flag");
    const { total, perValue } = scheduler.flagStatistics(name, prefix === undefined ? undefined : [prefix].flat());
    return { TotalCount: total, PerValueCount: perValue };
  });
}

/** The graph now, at a time, or as a transaction left it. A picture unless asked for otherwise, as from Ligato. */
function graph(scheduler: Scheduler, { format = "svg", time, txn }: GraphQuery, reply: FastifyReply): FastifyReply {
  const wanted = oneOf(format, ["svg", "dot", "json"], "format");
  const number = numberArgument(txn, "txn");
  const at = number === undefined ? timeArgument(time, "time") : endOf(scheduler, number);
  const snapshot = scheduler.snapshot(at);
  if (wanted === "json") return reply.send(graphMessage(snapshot));
  if (wanted === "dot") return reply.type("text/vnd.graphviz; charset=utf-8").send(toDot(snapshot));
  if (snapshot.values.length > MOST_DRAWN) {
    throw new InvalidInputError(
      "TOO_LARGE",
      `${snapshot.values.length} values are too many for a picture; ask for format=dot or json`,
      { field: "format" },
    );
  }
  return reply.type("image/svg+xml; charset=utf-8").send(toSvg(snapshot));
}

function endOf(scheduler: Scheduler, seq: number): number {
  const [record] = scheduler.history({ seq });
  if (record !== undefined) return record.stop;
  throw new NotFoundError("UNKNOWN_TRANSACTION", `the history has no transaction ${seq}`);
}

function mandatory(text: string | undefined, name: string): string {
  if (text !== undefined && text !== "") return text;
  throw new InvalidInputError("BAD_ARGUMENT", `the argument ${name} is missing`, { field: name });
}
