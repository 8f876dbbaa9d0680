import type { Command } from "commander";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { printResult } from "../result.js";

/** `tenuto delete`. */
export function deleteCommand(): Command {
  return clientCommand<ClientOptions, [keys: readonly string[]]>({
    usage: "delete <key...>",
    summary: "delete values",
    description: "Delete the values of keys, as one transaction.",
    examples: ["tenuto delete config/linux/interfaces/v2/interface/veth1"],
    run: async (client, { output }, keys) => {
      const changes = keys.map((key) => ({ key, delete: true }) as const);
      await printResult(output, await client.commit({ changes }));
    },
  });
}
