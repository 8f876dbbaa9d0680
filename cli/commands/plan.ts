import type { Command } from "commander";
import type { AgentClient } from "#client/client.js";
import type { Transaction } from "#client/types.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { contractModels, readTransaction } from "../documents.js";
import { ExitStatus } from "../exit.js";
import { print } from "../output.js";
import { type Desired, isChange, valueChanges } from "../plan.js";
import { planText } from "../plan-text.js";
import { printResult } from "../result.js";

interface PlanOptions extends ClientOptions {
  readonly file: readonly string[];
  readonly replace?: true;
  readonly derived?: true;
  readonly detailedExitcode?: true;
}

/** So many values are asked for one by one; of more, all are. */
const FEW = 20;

/** `tenuto plan`: what `tenuto apply` would do. */
export function planCommand(): Command {
  return clientCommand<PlanOptions>({
    usage: "plan",
    summary: "show what applying files would do",
    description:
      "Show what applying configuration files would do, and do nothing: values that come (+), change (~), are deleted and created again (±), go (-) or wait (…), with their fields. The same as `tenuto apply --dry-run`.",
    options: (command) =>
      command
        .requiredOption(
          "-f, --file <file...>",
          "YAML or JSON: a transaction, a list of changes, or linuxConfig; - is standard input",
        )
        .option("--replace", "remove everything that was set by request before and is not in these files")
        .option("--derived", "also list every operation, those on parts of values (addresses, …) included")
        .option("--detailed-exitcode", "end with 2 when anything would change, with 0 when nothing would"),
    examples: ["tenuto plan -f network.yaml", "tenuto plan -f network.yaml --detailed-exitcode"],
    run: async (client, options) => {
      const replace = options.replace ? { mode: "REPLACE" as const } : {};
      const transaction = { ...(await readTransaction(options.file)), ...replace, dry_run: true };
      const changes = await printPlan(client, transaction, options);
      if (options.detailedExitcode && process.exitCode === ExitStatus.done && changes) process.exitCode = CHANGES;
    },
  });
}

/** What people know from `terraform plan -detailed-exitcode`. */
const CHANGES = 2;

/** Prints what a transaction would do, sets the exit status, and says whether anything would change. */
export async function printPlan(
  client: AgentClient,
  transaction: Transaction,
  { output, derived }: Pick<PlanOptions, "output" | "derived">,
): Promise<boolean> {
  const [result, desired] = await Promise.all([client.commit(transaction), desiredAround(client, transaction)]);
  if (result.outcome !== "PLANNED") {
    await printResult(output, result);
    return false;
  }
  const changes = valueChanges(result, desired);
  await print(output, result, () => planText(changes, derived ? result.operations : []));
  process.exitCode = ExitStatus.done;
  return changes.some(isChange);
}

async function desiredAround(client: AgentClient, { changes, mode }: Transaction): Promise<Desired> {
  const registry = await contractModels();
  const after = new Map<string, object>();
  const keys: string[] = [];
  for (const change of changes) {
    // A key with a label, or of a plugin that only the agent has: its fields cannot be told.
    if (change.key.startsWith("/") || registry.forKey(change.key) === undefined) continue;
    const given = registry.normaliseKey(change.key);
    if (change.delete === true) keys.push(given);
    else {
      const { key, value } = registry.decode(given, change.value);
      after.set(key, value);
      keys.push(key);
    }
  }
  const all = mode === "REPLACE" || keys.length > FEW;
  const found = all ? [await client.get()] : await Promise.all(keys.map((key) => client.get(key)));
  return { before: new Map(found.flat().map(({ key, value }) => [key, value])), after };
}
