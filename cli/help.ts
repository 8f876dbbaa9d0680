import type { Command } from "commander";

/** Adds an example to a command's help. */
export function withExample(command: Command, ...lines: readonly string[]): Command {
  const text = lines.map((line) => `  $ ${line}\n`).join("");
  return command.addHelpText("after", `\nExample:\n${text.trimEnd()}`);
}
