import { type Command, Option } from "commander";
import type { DumpView } from "#client/types.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { print } from "../output.js";
import { valueTable } from "./get.js";

interface DumpOptions extends ClientOptions {
  readonly view: DumpView;
}

/** `tenuto dump`. */
export function dumpCommand(): Command {
  return clientCommand<DumpOptions, [prefix?: string]>({
    usage: "dump [prefix]",
    summary: "print what is desired, or what is there",
    description:
      "Print values: nb, what is desired; sb, what is there, read anew; cached, what the agent believes is there.",
    options: (command) =>
      command.addOption(
        new Option("--view <view>", "which side to look at").choices(["nb", "sb", "cached"]).default("nb"),
      ),
    examples: ["tenuto dump --view sb", "tenuto dump --view cached config/linux/l3/v2/route/ -o yaml"],
    run: async (client, { output, view }, prefix) => {
      const values = await client.dump(view, prefix);
      await print(output, values, () => valueTable(values));
    },
  });
}
