import { type Command, Option } from "commander";
import type { StatusFilter } from "#client/types.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { print } from "../output.js";
import { orphansText, statusTable } from "../result.js";

interface StatusOptions extends ClientOptions {
  readonly pending?: true;
  readonly failed?: true;
}

/** `tenuto status`. */
export function statusCommand(): Command {
  return clientCommand<StatusOptions, [prefix?: string]>({
    usage: "status [prefix]",
    summary: "print the state of every value",
    description: "Print the state of every value: configured, pending on what, failed why.",
    options: (command) =>
      command
        .addOption(new Option("--pending", "only what waits for something").conflicts("failed"))
        .addOption(new Option("--failed", "only what failed")),
    examples: ["tenuto status", "tenuto status --failed -o json"],
    run: async (client, options, prefix) => {
      const values = await client.status(filter(options, prefix));
      await print(options.output, values, () => statusTable(values) + orphansText(values));
    },
  });
}

function filter({ pending, failed }: StatusOptions, prefix: string | undefined): StatusFilter {
  return {
    ...(prefix === undefined ? {} : { prefix }),
    ...(pending ? { state: "pending" } : {}),
    ...(failed ? { state: "failed" } : {}),
  };
}
