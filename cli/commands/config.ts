import { Command } from "commander";
import {
  type AgentChoice,
  agentOptions,
  chosenFlavor,
  configurationFile,
  withConfiguration,
  withFlavor,
} from "../agent-options.js";
import { CommandError } from "../exit.js";
import { withExample } from "../help.js";
import { write } from "../output.js";

/** `tenuto config`. */
export function configCommand(): Command {
  return new Command("config")
    .summary("look at the configuration of an agent")
    .description("Look at the configuration of an agent before it runs.")
    .addCommand(schemaCommand())
    .addCommand(checkCommand());
}

function schemaCommand(): Command {
  const command = withFlavor(
    new Command("schema").description("Print the JSON schema of a flavor's configuration file."),
  ).action(async (options: AgentChoice) => {
    const { configurationSchema } = await import("#core/config/index.js");
    const flavor = await chosenFlavor(options, await configurationFile(options));
    await write(`${JSON.stringify(configurationSchema(flavor), undefined, 2)}\n`);
  });
  return withExample(command, "tenuto config schema --flavor nats > tenuto.schema.json");
}

function checkCommand(): Command {
  const command = withConfiguration(
    new Command("check").description(
      "Say whether a configuration is valid: file, environment and command line together.",
    ),
  ).action(async (choice: AgentChoice) => {
    const { checkConfiguration, problemText } = await import("#core/config/index.js");
    const { flavor, configuration = {}, origin = "configuration", assignments = [] } = await agentOptions(choice);
    const checked = checkConfiguration(flavor, {
      content: configuration,
      origin,
      assignments,
      environment: process.env,
    });
    if (!checked.ok) throw new CommandError(checked.problems.map(problemText).join("\n"));
    for (const warning of checked.configuration.warnings) process.stderr.write(`warning: ${warning}\n`);
    await write(`the configuration is good: flavor ${flavor.name}\n`);
  });
  return withExample(command, "tenuto config check --config tenuto.yaml");
}
