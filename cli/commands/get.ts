import type { Command } from "commander";
import type { KeyValue } from "#client/types.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { columns } from "../columns.js";
import { CommandError } from "../exit.js";
import { print, serialise } from "../output.js";

/** `tenuto get`: what is desired. */
export function getCommand(): Command {
  return clientCommand<ClientOptions, [key?: string]>({
    usage: "get [key]",
    summary: "print what is desired",
    description: "Print the desired value of a key, or those of all keys that begin with a prefix.",
    examples: [
      "tenuto get",
      "tenuto get config/linux/interfaces/v2/interface/veth1 -o json",
      "tenuto get -o yaml > backup.yaml",
    ],
    run: async (client, { output }, key) => {
      const values = await client.get(key);
      // The agent's own label may stand before a key.
      const exact = values.find((value) => value.key === key || key?.endsWith(`/${value.key}`));
      if (exact !== undefined) return print(output, exact.value, () => serialise("yaml", exact.value));
      if (key !== undefined && values.length === 0) throw new CommandError(`nothing is configured under ${key}`);
      return print(output, values, () => valueTable(values));
    },
  });
}

/** Keys with their values on one line each. */
export function valueTable(values: readonly KeyValue[]): string {
  return columns(
    ["key", "value"],
    values.map(({ key, value }) => [key, JSON.stringify(value)]),
  );
}
