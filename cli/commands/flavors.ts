import { Command } from "commander";
import { columns } from "../columns.js";
import { withExample } from "../help.js";
import { type OutputFormat, outputOption, print } from "../output.js";

/** `tenuto flavors`. */
export function flavorsCommand(): Command {
  const command = new Command("flavors")
    .summary("list the flavors that come with Tenuto")
    .description("List the flavors that come with Tenuto.")
    .addOption(outputOption())
    .action(async ({ output }: { output: OutputFormat }) => {
      const { flavorList } = await import("#flavors/index.js");
      const flavors = flavorList();
      await print(output, flavors, () =>
        columns(
          ["flavor", "description"],
          flavors.map(({ name, description }) => [name, description]),
        ),
      );
    });
  return withExample(command, "tenuto flavors");
}
