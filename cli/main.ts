import { inspect } from "node:util";
import { CommanderError } from "commander";
import { AgentClientError } from "#client/client.js";
import { TenutoError } from "#core/errors.js";
import { CommandError, ExitStatus } from "./exit.js";
import { leaveErrorsToWriters, note } from "./output.js";
import { buildProgram } from "./program.js";

/** Runs one command line and sets the exit status of the process. Never throws. */
export async function main(words: readonly string[]): Promise<void> {
  leaveErrorsToWriters();
  try {
    const program = await buildProgram(words);
    await program.parseAsync(words, { from: "user" });
  } catch (cause) {
    process.exitCode = report(cause);
  }
}

/** Says what went wrong, and returns the exit status for it. */
function report(cause: unknown): ExitStatus {
  // Commander has printed its message, or the help that was asked for.
  if (cause instanceof CommanderError) return cause.exitCode === 0 ? ExitStatus.done : ExitStatus.usage;
  if (cause instanceof CommandError) {
    note(cause.message);
    return cause.status;
  }
  if (cause instanceof AgentClientError || (cause instanceof TenutoError && cause.kind !== "bug")) note(cause.message);
  // Ours. The whole of it, so that it can be reported.
  else note(inspect(cause));
  return ExitStatus.failed;
}
