import { Command } from "commander";
import type { AgentClient } from "#client/client.js";
import { type ConnectionOptions, withClient, withConnection } from "./connection.js";
import { withExample } from "./help.js";
import { type OutputFormat, outputOption } from "./output.js";

/** What every command that asks an agent has among its options. */
export interface ClientOptions extends ConnectionOptions {
  readonly output: OutputFormat;
}

export interface ClientCommand<O extends ClientOptions, A extends readonly unknown[]> {
  /** Name and arguments: `delete <key...>`. */
  readonly usage: string;
  /** A few words for the list of commands. */
  readonly summary: string;
  readonly description: string;
  /** Command lines for the help. */
  readonly examples: readonly string[];
  /** Adds options of its own. */
  readonly options?: (command: Command) => Command;
  /** Gets the arguments in order. */
  readonly run: (client: AgentClient, options: O, ...parameters: A) => Promise<void>;
}

/** A command that asks a running agent, over the local socket or over NATS. */
export function clientCommand<O extends ClientOptions = ClientOptions, A extends readonly unknown[] = []>({
  usage,
  summary,
  description,
  examples,
  options = (command) => command,
  run,
}: ClientCommand<O, A>): Command {
  const command = options(new Command().summary(summary).description(description)).addOption(outputOption());
  const [name = "", ...parameters] = usage.split(" ");
  command.name(name);
  for (const parameter of parameters) command.argument(parameter);
  command.action(async (...given: unknown[]) => {
    // Commander gives the arguments, then the options, then the command.
    const own = given.slice(0, -2) as unknown as A;
    const chosen = command.opts<O>();
    await withClient(chosen, (client) => run(client, chosen, ...own));
  });
  return withExample(withConnection(command), ...examples);
}
