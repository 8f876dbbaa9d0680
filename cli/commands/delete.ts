import type { Command } from "commander";
import type { AgentClient } from "#client/client.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { contractModels } from "../documents.js";
import { CommandError, ExitStatus } from "../exit.js";
import { note } from "../output.js";
import { printResult } from "../result.js";

interface DeleteOptions extends ClientOptions {
  readonly ignoreMissing?: true;
}

/** `tenuto delete`. */
export function deleteCommand(): Command {
  return clientCommand<DeleteOptions, [keys: readonly string[]]>({
    usage: "delete <key...>",
    summary: "delete values",
    description:
      "Delete the values of keys, as one transaction. A key under which there is nothing is told, and the command ends with 1.",
    options: (command) => command.option("--ignore-missing", "what is not there is no failure"),
    examples: ["tenuto delete config/linux/interfaces/v2/interface/veth1"],
    run: async (client, { output, ignoreMissing }, keys) => {
      const missing = ignoreMissing ? [] : await missingKeys(client, keys);
      if (missing.length === keys.length) throw new CommandError(nothingUnder(missing));
      const changes = keys.map((key) => ({ key, delete: true }) as const);
      await printResult(output, await client.commit({ changes }));
      if (missing.length === 0) return;
      note(nothingUnder(missing));
      if (process.exitCode === ExitStatus.done) process.exitCode = ExitStatus.failed;
    },
  });
}

function nothingUnder(keys: readonly string[]): string {
  return `there is nothing under ${keys.join(", ")}`;
}

/** Those keys that no value of the agent has, whether somebody asks for it or it is only there still. */
async function missingKeys(client: AgentClient, keys: readonly string[]): Promise<readonly string[]> {
  const registry = await contractModels();
  const isThere = async (key: string): Promise<boolean> => {
    // Only the agent knows its label, and the keys of its plugins' models.
    if (key.startsWith("/") || registry.forKey(key) === undefined) return true;
    const full = registry.normaliseKey(key);
    const values = await client.status({ prefix: full });
    return values.some((value) => value.key === full || registry.isShortFor(full, value.key));
  };
  const found = await Promise.all(keys.map(isThere));
  return keys.filter((_, index) => found[index] === false);
}
