import type { Command } from "commander";
import type { AgentClient } from "#client/client.js";
import type { HistoryEntry, KeyValue } from "#client/types.js";
import type { Graph, GraphEdge, GraphValue } from "#proto/index.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { columns, printable } from "../columns.js";
import { differences } from "../difference.js";
import { CommandError } from "../exit.js";
import { print, serialise } from "../output.js";

/** Everything that is known of one value. */
interface Description {
  readonly key: string;
  readonly state: string;
  readonly since: string;
  readonly error: string;
  readonly details: readonly string[];
  /** Left out: nobody asks for it. */
  readonly desired?: object;
  /** As it is now, read anew. Left out: it is not there. */
  readonly found?: object;
  readonly depends_on: readonly Relation[];
  readonly dependents: readonly Relation[];
  /** Its parts. */
  readonly derived: readonly Relation[];
  readonly history: readonly HistoryLine[];
}

interface Relation {
  readonly key: string;
  readonly state: string;
  /** Name of the dependency. */
  readonly label: string;
}

interface HistoryLine {
  readonly seq: number;
  readonly start: string;
  readonly operation: string;
  readonly state: string;
  readonly error: string;
  readonly description: string;
}

/** So many of the latest operations on the value are told. */
const LATEST = 10;

/** `tenuto describe`: one value from all sides. */
export function describeCommand(): Command {
  return clientCommand<ClientOptions, [key: string]>({
    usage: "describe <key>",
    summary: "print everything that is known of one value",
    description:
      "Print one value from all sides: its state and since when, what is desired and what is there, what it depends on, what depends on it, its parts, and the latest operations on it.",
    examples: ["tenuto describe config/linux/interfaces/v2/interface/veth1"],
    run: async (client, { output }, key) => {
      const description = await describe(client, key);
      await print(output, description, () => descriptionText(description));
    },
  });
}

async function describe(client: AgentClient, asked: string): Promise<Description> {
  const [graph, history] = await Promise.all([
    client.request("scheduler", "graph", {}) as Promise<Graph>,
    client.history(),
  ]);
  const value = (graph.values ?? []).find(
    ({ key }) => key !== undefined && (key === asked || asked.endsWith(`/${key}`)),
  );
  if (value?.key === undefined)
    throw new CommandError(`the agent knows no value ${asked}; \`tenuto status\` lists them`);
  const { key } = value;
  const ofKey = (values: readonly KeyValue[]): object | undefined => values.find((each) => each.key === key)?.value;
  const [desired, found] = await Promise.all([client.get(key).then(ofKey), client.dump("sb", key).then(ofKey)]);
  return {
    key,
    state: value.state ?? "NONEXISTENT",
    since: value.since ?? "",
    error: value.error ?? "",
    details: value.details ?? [],
    ...(desired === undefined ? {} : { desired }),
    ...(found === undefined ? {} : { found }),
    ...relations(graph, key),
    history: latest(history, key),
  };
}

function relations(
  { values = [], edges = [] }: Graph,
  key: string,
): Pick<Description, "depends_on" | "dependents" | "derived"> {
  const known = new Map(values.map((each) => [each.key, each]));
  const parts = new Set(edges.filter((edge) => isDerivation(edge) && edge.from === key).map(({ to = "" }) => to));
  const ours = new Set([key, ...parts]);
  const needs = edges.filter((edge) => !isDerivation(edge));
  // What a part needs or holds up is told of the whole.
  const whole = (each: string): string => known.get(each)?.derived_from || each;
  const relation = (each: string, label = ""): Relation => ({ key: each, state: stateOf(known.get(each)), label });
  return {
    depends_on: unique(
      needs
        .filter(({ from = "", to = "" }) => ours.has(from) && !ours.has(to))
        .map(({ to = "", label }) => relation(to, label)),
    ),
    dependents: unique(
      needs
        .filter(({ from = "", to = "" }) => ours.has(to) && !ours.has(from))
        .map(({ from = "", label }) => relation(whole(from), label)),
    ),
    derived: [...parts].map((each) => relation(each)),
  };
}

function isDerivation({ relation }: GraphEdge): boolean {
  return relation !== "DEPENDS_ON";
}

function stateOf(value: GraphValue | undefined): string {
  return value?.state ?? "NONEXISTENT";
}

function unique(relations: readonly Relation[]): readonly Relation[] {
  return [...new Map(relations.map((each) => [each.key, each])).values()];
}

function latest(history: readonly HistoryEntry[], key: string): readonly HistoryLine[] {
  const lines = history.flatMap(({ seq, start, description, executed }) =>
    executed
      .filter((each) => each.key === key)
      .map(({ operation, state, error }) => ({ seq, start, operation, state, error, description })),
  );
  return lines.slice(-LATEST);
}

async function descriptionText(described: Description): Promise<string> {
  const { key, state, since, error, details, desired, found } = described;
  const head = [`${printable(key)}`, `state: ${state}${since === "" ? "" : ` since ${since}`}`];
  if (error !== "") head.push(`error: ${printable(error)}`);
  if (details.length > 0)
    head.push(`${state === "PENDING" ? "waits for" : "details"}: ${printable(details.join(", "))}`);
  const sections = [
    `${head.join("\n")}\n`,
    section("desired", desired === undefined ? "  nobody asks for it\n" : indented(await serialise("yaml", desired))),
    section("found", await foundText(desired, found)),
    section("depends on", relationTable(described.depends_on)),
    section("what depends on it", relationTable(described.dependents)),
    section("parts", partTable(described.derived)),
    section("latest operations", historyTable(described.history)),
  ];
  return sections.filter(Boolean).join("\n");
}

/** Nothing when it is as desired: the same twice tells nobody anything. */
async function foundText(desired: object | undefined, found: object | undefined): Promise<string> {
  if (found === undefined) return "  it is not there\n";
  const [difference] =
    desired === undefined ? [] : differences([{ key: "", value: desired }], [{ key: "", value: found }], "choice");
  if (desired === undefined || difference !== undefined) return indented(await serialise("yaml", found));
  return "  as desired\n";
}

function section(title: string, text: string): string {
  return text === "" ? "" : `${title}:\n${text}`;
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}

function relationTable(relations: readonly Relation[]): string {
  if (relations.length === 0) return "";
  return indented(
    columns(
      ["key", "state", "as"],
      relations.map(({ key, state, label }) => [key, state, label]),
    ),
  );
}

function partTable(parts: readonly Relation[]): string {
  if (parts.length === 0) return "";
  return indented(
    columns(
      ["key", "state"],
      parts.map(({ key, state }) => [key, state]),
    ),
  );
}

function historyTable(lines: readonly HistoryLine[]): string {
  if (lines.length === 0) return "";
  const rows = lines.map(({ seq, start, operation, state, error, description }) => [
    String(seq),
    start,
    operation,
    state,
    error || description,
  ]);
  return indented(columns(["seq", "start", "operation", "state", "description"], rows));
}
