import { type Command, Option } from "commander";
import type { Graph } from "#proto/index.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { write } from "../output.js";

type GraphFormat = "dot" | "json" | "svg";

interface GraphOptions extends ClientOptions {
  readonly at?: string;
  readonly format?: GraphFormat;
}

/** `tenuto graph`. */
export function graphCommand(): Command {
  return clientCommand<GraphOptions>({
    usage: "graph",
    summary: "print what depends on what",
    description:
      "Print every value that the agent knows, with its state, what it derives and what it depends on; now, or as it was at a time that the agent remembers.",
    options: (command) =>
      command
        .option("--at <time>", "as it was then: 2026-05-04T12:00:00Z, or Unix seconds")
        .addOption(
          new Option("--format <format>", "for Graphviz, for programs, or a picture (default: dot)").choices([
            "dot",
            "json",
            "svg",
          ]),
        ),
    examples: ["tenuto graph --format svg > graph.svg", "tenuto graph --at 2026-05-04T12:00:00Z --format json"],
    run: async (client, { output, at = "", format = output === "json" ? "json" : "dot" }) => {
      const graph = (await client.request("scheduler", "graph", { time: at })) as Graph;
      await write(await rendered(graph, format));
    },
  });
}

async function rendered(graph: Graph, format: GraphFormat): Promise<string> {
  if (format === "json") return `${JSON.stringify(graph, undefined, 2)}\n`;
  const [{ toDot }, { graphSnapshot, toSvg }] = await Promise.all([
    import("#core/scheduler/index.js"),
    import("#plugins/http/index.js"),
  ]);
  return format === "dot" ? toDot(graphSnapshot(graph)) : toSvg(graphSnapshot(graph));
}
