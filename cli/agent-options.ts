import { type Command, InvalidArgumentError, Option } from "commander";
import type { AgentOptions } from "#core/agent/index.js";
import type { ConfigurationFile } from "#core/config/index.js";
import { TenutoError } from "#core/errors.js";
import type { Flavor, FlavorSelection } from "#core/flavor/index.js";
import { UsageError } from "./exit.js";
import { preload } from "./preload.js";

/** What the command line says about an agent to be. */
export interface AgentChoice {
  readonly flavor?: string;
  readonly label?: string;
  readonly config?: string;
  readonly set?: readonly string[];
  readonly nats?: string;
  readonly kafka?: string;
  readonly socket?: string;
}

/** Adds the options that choose a flavor. */
export function withFlavor(command: Command): Command {
  return command
    .addOption(new Option("--flavor <flavor>", "the agent's plugins: see `tenuto flavors`").env("TENUTO_FLAVOR"))
    .addOption(new Option("--config <file>", "configuration file, YAML or JSON").env("TENUTO_CONFIG"));
}

/** Adds the options that configure an agent. */
export function withConfiguration(command: Command): Command {
  return withFlavor(command)
    .addOption(new Option("--label <label>", "the agent's name (default: the host name)").env("TENUTO_LABEL"))
    .addOption(
      new Option("--set <section.field=value...>", "set one field of the configuration").argParser(collectAssignments),
    )
    .addOption(new Option("--nats <url>", "NATS server; chooses flavor nats unless another is named"))
    .addOption(new Option("--kafka <brokers>", "Kafka brokers; chooses flavor kafka unless another is named"))
    .addOption(new Option("--socket <path>", "the local socket to listen on").env("TENUTO_SOCKET"));
}

function collectAssignments(assignment: string, before: readonly string[] = []): readonly string[] {
  if (!/^[^.=]+\.[^=]*=/.test(assignment)) throw new InvalidArgumentError("Expected section.field=value.");
  return [...before, assignment];
}

/**
 * The flavor: the one named on the command line or in the environment; else the configuration file's; else the one that
 * fits the buses that an address was given for.
 */
export async function chosenFlavor(choice: AgentChoice, file: ConfigurationFile | undefined): Promise<Flavor> {
  const [{ composeFlavor }, { flavorList, flavorNamed }] = await Promise.all([
    import("#core/flavor/index.js"),
    import("#flavors/index.js"),
  ]);
  const selection: FlavorSelection = choice.flavor ?? file?.flavor ?? flavorOfBuses(choice);
  const base = typeof selection === "string" ? selection : selection.extends;
  if (flavorList().some(({ name }) => name === base)) preload(`#flavors/${base}.js`);
  try {
    return await composeFlavor(selection, { directory: file?.directory ?? process.cwd(), named: flavorNamed });
  } catch (error) {
    const misnamed = choice.flavor !== undefined && error instanceof TenutoError && error.code === "FLAVOR_UNKNOWN";
    throw misnamed ? new UsageError(error.message) : error;
  }
}

/** Everything that an `Agent` is made of. Throws `InvalidInputError` for what cannot be read, loaded or composed. */
export async function agentOptions(choice: AgentChoice): Promise<AgentOptions> {
  const file = await configurationFile(choice);
  const flavor = await chosenFlavor(choice, file);
  return {
    flavor,
    label: choice.label,
    ...(file === undefined ? {} : { configuration: file.content, origin: file.path }),
    assignments: [...shorthands(choice, flavor), ...(choice.set ?? [])],
  };
}

export async function configurationFile({ config }: AgentChoice): Promise<ConfigurationFile | undefined> {
  if (config === undefined) return undefined;
  const { readConfigurationFile } = await import("#core/config/index.js");
  return await readConfigurationFile(config);
}

/**
 * Options that are short for a field. `TENUTO_SOCKET` may be set for clients, so that it is for flavors with a socket
 * only.
 */
function shorthands({ nats, kafka, socket }: AgentChoice, flavor: Flavor): readonly string[] {
  return [
    ...(nats === undefined ? [] : [`nats.url=${nats}`]),
    ...(kafka === undefined ? [] : [`kafka.brokers=${kafka}`]),
    ...(socket === undefined || !flavor.has("http") ? [] : [`http.socket=${socket}`]),
  ];
}

function flavorOfBuses({ nats, kafka }: AgentChoice): string {
  if (nats !== undefined) return kafka === undefined ? "nats" : "full";
  return kafka === undefined ? "embedded" : "kafka";
}
