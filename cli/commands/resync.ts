import type { Command } from "commander";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { printResult } from "../result.js";

interface ResyncOptions extends ClientOptions {
  readonly downstream?: true;
}

/** `tenuto resync`. */
export function resyncCommand(): Command {
  return clientCommand<ResyncOptions>({
    usage: "resync",
    summary: "repair what differs from what is wanted",
    description: "Compare what is there with what is wanted, and repair the difference.",
    options: (command) =>
      command.option("--downstream", "do not ask the sources of configuration again, only read what is there"),
    examples: ["tenuto resync --downstream"],
    run: async (client, { output, downstream }) =>
      printResult(output, await client.resync({ downstream: downstream ?? false })),
  });
}
