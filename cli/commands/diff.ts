import type { Command } from "commander";
import type { AgentClient } from "#client/client.js";
import type { KeyValue } from "#client/types.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { printable } from "../columns.js";
import { asFound, differences, type FieldDifference, type ValueDifference } from "../difference.js";
import { contractModels, readTransaction } from "../documents.js";
import { CommandError, ExitStatus } from "../exit.js";
import { print } from "../output.js";
import { reasonOf } from "../result.js";
import { keysThatMatter } from "../weighed.js";

interface DiffOptions extends ClientOptions {
  readonly file?: readonly string[];
  readonly exitZero?: true;
}

const SIGN = { missing: "+", extra: "-", different: "~" } as const;

/** `tenuto diff`. */
export function diffCommand(): Command {
  return clientCommand<DiffOptions>({
    usage: "diff",
    summary: "print the difference between what is desired and what is there",
    description:
      "Print what is desired and not there (+), there and not desired (-), or different (~). With files: what applying them would change. What is written differently and means the same to the agent is no difference. Ends with 1 when there are differences.",
    options: (command) =>
      command
        .option("-f, --file <file...>", "compare configuration files with what is desired now")
        .option("--exit-zero", "end with 0 also when there are differences"),
    examples: ["tenuto diff", "tenuto diff -f network.yaml"],
    run: async (client, { output, file, exitZero }) => {
      const found = file === undefined ? await againstSystem(client) : await againstFiles(client, file);
      await print(output, found, () => found.map(differenceText).join("") || "no difference\n");
      if (found.length > 0 && exitZero !== true) process.exitCode = ExitStatus.failed;
    },
  });
}

async function againstSystem(client: AgentClient): Promise<readonly ValueDifference[]> {
  const [desired, below] = await Promise.all([client.dump("nb"), client.dump("sb")]);
  const found = below.filter(({ key }) => key.startsWith("config/"));
  // A value that is only reported (linux-drift.policy) is known to the agent as it is now: then what is desired would change it.
  const change = (value: object, fields: readonly FieldDifference[]) => [asFound(value, fields), value];
  return meaningful(client, differences(desired, found, "choice"), desired, change);
}

/** Values that the files do not speak of are left alone by applying them, and so are no difference. */
async function againstFiles(client: AgentClient, files: readonly string[]): Promise<readonly ValueDifference[]> {
  const transaction = await readTransaction(files);
  const { changes, mode } = transaction;
  const [registry, current, plan] = await Promise.all([
    contractModels(),
    client.get(),
    client.commit({ ...transaction, dry_run: true }),
  ]);
  if (plan.outcome === "REJECTED") throw new CommandError(reasonOf(plan));
  const desired: KeyValue[] = [];
  const spokenOf = new Set<string>();
  for (const change of changes) {
    const given = registry.normaliseKey(change.key);
    if (change.delete === true) {
      const meant = current.filter(({ key }) => registry.isShortFor(given, key));
      for (const key of [given, ...meant.map((each) => each.key)]) spokenOf.add(key);
      continue;
    }
    const { key, value } = registry.decode(given, change.value);
    spokenOf.add(key);
    desired.push({ key, value });
  }
  const concerned = mode === "REPLACE" ? current : current.filter(({ key }) => spokenOf.has(key));
  return meaningful(client, differences(desired, concerned, "default"), desired, (value) => [value]);
}

/**
 * Leaves out what is written differently and means the same. `change` makes, of a desired value and the fields that differ, the
 * values of which each would have to make no difference to the agent.
 */
async function meaningful(
  client: AgentClient,
  all: readonly ValueDifference[],
  desired: readonly KeyValue[],
  change: (value: object, fields: readonly FieldDifference[]) => readonly object[],
): Promise<readonly ValueDifference[]> {
  const values = new Map(desired.map(({ key, value }) => [key, value]));
  const different = all.flatMap(({ key, difference, fields }) => {
    const value = values.get(key);
    return difference === "different" && value !== undefined ? [{ key, changes: change(value, fields) }] : [];
  });
  const matter = new Set<string>();
  const most = Math.max(0, ...different.map(({ changes }) => changes.length));
  for (let question = 0; question < most; question++) {
    const asked = different.flatMap(({ key, changes }) => {
      const value = changes[question];
      return value === undefined || matter.has(key) ? [] : [{ key, value }];
    });
    for (const key of await keysThatMatter(client, asked)) matter.add(key);
  }
  return all.filter(({ key, difference }) => difference !== "different" || matter.has(key));
}

function differenceText({ key, difference, fields }: ValueDifference): string {
  return `${SIGN[difference]} ${printable(key)}\n${fields.map(fieldText).join("")}`;
}

function fieldText({ field, desired, found }: FieldDifference): string {
  return `    ${field}: ${shown(desired)}, found ${shown(found)}\n`;
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}
