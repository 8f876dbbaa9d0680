import type { Command } from "commander";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { UsageError } from "../exit.js";
import { print } from "../output.js";
import { whileShown } from "../progress.js";
import { printResult, prunePlanText } from "../result.js";

interface ResyncOptions extends ClientOptions {
  readonly downstream?: true;
  readonly prune?: true;
  readonly dryRun?: true;
}

/** `tenuto resync`. */
export function resyncCommand(): Command {
  return clientCommand<ResyncOptions>({
    usage: "resync",
    summary: "repair what differs from what is desired",
    description:
      "Compare what is there with what is desired, and repair the difference. Values that nobody asks for any more, because a source or the store has lost them, stay; --prune removes them.",
    options: (command) =>
      command
        .option("--downstream", "do not ask the sources of configuration again, only read what is there")
        .option("--prune", "then remove what nobody asks for any more")
        .option("--dry-run", "with --prune: show what would be removed, and do nothing"),
    examples: ["tenuto resync --downstream", "tenuto resync --prune --dry-run"],
    run: async (client, { output, downstream = false, prune = false, dryRun = false }) => {
      if (dryRun && !prune) throw new UsageError("--dry-run shows what --prune would remove; give both");
      const result = await whileShown("resync", client.resync({ downstream, prune, dry_run: dryRun }));
      if (dryRun) await print(output, result, () => prunePlanText(result));
      else await printResult(output, result);
    },
  });
}
