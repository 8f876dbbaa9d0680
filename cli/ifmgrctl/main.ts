import { inspect } from "node:util";
import { Command, CommanderError } from "commander";
import { AgentClientError } from "#client/client.js";
import { type ConnectionOptions, withClient, withConnection } from "../connection.js";
import { CommandError, ExitStatus } from "../exit.js";
import { leaveErrorsToWriters, type OutputFormat, outputOption } from "../output.js";
import { carryOut, orderOf } from "./actions.js";
import { MORE, USAGE } from "./usage.js";

interface Options extends ConnectionOptions {
  readonly output: OutputFormat;
}

/** Runs one command line of ifmgrctl and sets the exit status of the process. Never throws. */
export async function main(words: readonly string[]): Promise<void> {
  leaveErrorsToWriters();
  try {
    await ifmgrctl().parseAsync(words, { from: "user" });
  } catch (cause) {
    process.exitCode = report(cause);
  }
}

function ifmgrctl(): Command {
  const command = withConnection(new Command("ifmgrctl").argument("[words...]").addOption(outputOption()));
  return command
    .exitOverride()
    .configureHelp({ formatHelp: (shown, helper) => `${USAGE}\nOptions:\n${optionLines(shown, helper)}${MORE}` })
    .action(async (words: readonly string[], options: Options) => {
      const order = orderOf(words, process.env);
      await withClient(options, (client) => carryOut(client, order, options.output, note));
    });
}

function optionLines(command: Command, helper: ReturnType<Command["createHelp"]>): string {
  const options = helper.visibleOptions(command);
  const width = Math.max(...options.map((option) => helper.optionTerm(option).length));
  return options
    .map((option) => `  ${helper.optionTerm(option).padEnd(width)}  ${helper.optionDescription(option)}\n`)
    .join("");
}

/** Says what went wrong, and returns the exit status for it. */
function report(cause: unknown): ExitStatus {
  if (cause instanceof CommanderError) return cause.exitCode === 0 ? ExitStatus.done : ExitStatus.usage;
  if (cause instanceof CommandError) {
    note(cause.message.trimEnd());
    return cause.status;
  }
  note(cause instanceof AgentClientError ? explain(cause) : inspect(cause));
  return ExitStatus.failed;
}

function explain({ code, message }: AgentClientError): string {
  return code === "NOT_FOUND" ? "the agent's flavor has no ifmgr: start it with --flavor ifmgr or full" : message;
}

function note(text: string): void {
  process.stderr.write(`ifmgrctl: ${text}\n`);
}
