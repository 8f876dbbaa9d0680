import type { Command } from "commander";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { readValue } from "../documents.js";
import { printResult } from "../result.js";

/** `tenuto put`. */
export function putCommand(): Command {
  return clientCommand<ClientOptions, [key: string, file: string]>({
    usage: "put <key> <file>",
    summary: "set the value of one key",
    description: "Set the value of one key from a YAML or JSON file; - is standard input.",
    examples: ["tenuto put config/linux/interfaces/v2/interface/veth1 veth1.yaml"],
    run: async (client, { output }, key, file) => {
      const value = await readValue(key, file);
      await printResult(output, await client.commit({ changes: [{ key, value }] }));
    },
  });
}
