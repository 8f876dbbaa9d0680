import { Command } from "commander";
import type { FlavorPlugin } from "#core/flavor/index.js";
import type { DependencyKind } from "#core/plugin/index.js";
import { type AgentChoice, chosenFlavor, configurationFile, withFlavor } from "../agent-options.js";
import { columns } from "../columns.js";
import { withExample } from "../help.js";
import { type OutputFormat, outputOption, print } from "../output.js";

interface PluginsOptions extends AgentChoice {
  readonly output: OutputFormat;
}

interface PluginRow {
  readonly name: string;
  readonly description: string;
  readonly provides: readonly string[];
  /** Interfaces that it is given; one that may be missing with `?`, one of which it gets all with `*`. */
  readonly needs: readonly string[];
  /** Does it have a section in the configuration? */
  readonly configurable: boolean;
}

const MARK: Readonly<Record<DependencyKind, string>> = { one: "", optional: "?", all: "*" };

/** What every plugin is given by the agent itself. Not worth a word. */
const GIVEN = new Set(["PluginConfig", "Logger", "PluginHealthReporter"]);

/** `tenuto plugins`. */
export function pluginsCommand(): Command {
  const command = withFlavor(
    new Command("plugins")
      .summary("list the plugins of a flavor")
      .description("List the plugins of a flavor, in order."),
  )
    .addOption(outputOption())
    .action(async (options: PluginsOptions) => {
      const flavor = await chosenFlavor(options, await configurationFile(options));
      const rows = flavor.plugins.map(pluginRow);
      await print(options.output, rows, () => pluginTable(rows));
    });
  return withExample(command, "tenuto plugins --flavor nats");
}

function pluginRow({ definition }: FlavorPlugin): PluginRow {
  const { name, description, provides, dependencies, config } = definition;
  return {
    name,
    description,
    provides: provides.map(({ token }) => token.name),
    needs: dependencies.filter(({ token }) => !GIVEN.has(token.name)).map(({ token, kind }) => token.name + MARK[kind]),
    configurable: config !== undefined,
  };
}

function pluginTable(rows: readonly PluginRow[]): string {
  const cells = rows.map(({ name, provides, needs, description }) => [
    name,
    provides.join(" "),
    needs.join(" "),
    description,
  ]);
  return columns(["plugin", "provides", "needs", "description"], cells);
}
