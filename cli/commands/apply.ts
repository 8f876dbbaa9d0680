import type { Command } from "commander";
import type { Transaction } from "#client/types.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { readTransaction } from "../documents.js";
import { whileShown } from "../progress.js";
import { printResult } from "../result.js";
import { printPlan } from "./plan.js";

interface ApplyOptions extends ClientOptions {
  readonly file: readonly string[];
  readonly atomic?: true;
  readonly dryRun?: true;
  readonly confirm?: string;
  readonly replace?: true;
}

/** `tenuto apply`: one transaction from configuration files. */
export function applyCommand(): Command {
  return clientCommand<ApplyOptions>({
    usage: "apply",
    summary: "apply configuration files",
    description: "Apply configuration files as one transaction.",
    options: (command) =>
      command
        .requiredOption(
          "-f, --file <file...>",
          "YAML or JSON: a transaction, a list of changes, or linuxConfig; - is standard input",
        )
        .option("--atomic", "all or nothing: undo everything when something fails")
        .option("--dry-run", "say what would be done, and do nothing")
        .option("--confirm <time>", "revert unless `tenuto confirm` comes within this time (60s, 5m)")
        .option("--replace", "remove everything that was set by request before and is not in these files"),
    examples: ["tenuto apply -f network.yaml", "tenuto apply -f - --atomic --confirm 60s < change.json"],
    run: async (client, options) => {
      const transaction = { ...(await readTransaction(options.file)), ...chosen(options) };
      if (transaction.dry_run === true) await printPlan(client, transaction, options);
      else await printResult(options.output, await whileShown("applying", client.commit(transaction)));
    },
  });
}

/** What the command line says beats what the files say. */
function chosen({ atomic, dryRun, confirm, replace }: ApplyOptions): Partial<Transaction> {
  return {
    ...(atomic ? { atomic } : {}),
    ...(dryRun ? { dry_run: true } : {}),
    ...(confirm === undefined ? {} : { confirm_timeout: confirm }),
    ...(replace ? { mode: "REPLACE" } : {}),
  };
}
