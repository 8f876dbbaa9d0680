import type { Outcome, TransactionResult, ValueStatus } from "#client/types.js";
import { columns, printable } from "./columns.js";
import { ExitStatus } from "./exit.js";
import { note, type OutputFormat, print } from "./output.js";
import { valueChanges } from "./plan.js";
import { outcomeText, planText } from "./plan-text.js";

const STATUS: Readonly<Record<Outcome, ExitStatus>> = {
  APPLIED: ExitStatus.done,
  PLANNED: ExitStatus.done,
  UNCONFIRMED: ExitStatus.done,
  PARTIAL: ExitStatus.partly,
  REVERTED: ExitStatus.failed,
  PART: ExitStatus.failed,
  UNKNOWN: ExitStatus.failed,
  REJECTED: ExitStatus.failed,
};

/**
 * Prints what became of a transaction, with the reason on standard error when it failed, and sets the exit status. With
 * `expected` the outcome is what was asked for, whatever it is called.
 */
export async function printResult(format: OutputFormat, result: TransactionResult, expected = false): Promise<void> {
  await print(format, result, () => resultText(result));
  const status = expected ? ExitStatus.done : statusOf(result);
  if (status !== ExitStatus.done) note(reasonOf(result));
  process.exitCode = status;
}

/** What waits for confirmation may have failed in part, too. */
function statusOf({ outcome, error }: TransactionResult): ExitStatus {
  return outcome === "UNCONFIRMED" && error !== "" ? ExitStatus.partly : STATUS[outcome];
}

/** What changed, what waits and what has problems, a line each, and in the last one the outcome with the totals. */
function resultText(result: TransactionResult): string {
  const changes = valueChanges(result);
  if (result.outcome === "PLANNED") return planText(changes);
  const { lines, totals } = outcomeText(changes);
  const number = result.seq === 0 ? "" : ` as transaction ${result.seq}`;
  // Without all operations nobody knows how many there were.
  const counted =
    result.truncated || result.outcome === "REJECTED" || result.outcome === "REVERTED" ? "" : `: ${totals}`;
  return `${lines}${result.outcome}${number}${counted}\n${advice(result)}`;
}

function advice({ outcome, id, truncated }: TransactionResult): string {
  const more = truncated ? "The result was too long for one message: `tenuto status` has the rest.\n" : "";
  return outcome === "UNCONFIRMED" ? `${more}Keep it with \`tenuto confirm ${id}\`; otherwise it is reverted.\n` : more;
}

/** The states of values, for people. */
export function statusTable(values: readonly ValueStatus[]): string {
  const rows = values.map(({ key, state, error, details }) => [
    key,
    state,
    // The error of an invalid value is made of its details.
    [withoutKey(error, key), ...details.filter((detail) => !error.includes(detail))].filter(Boolean).join("; "),
  ]);
  return columns(["key", "state", "details"], rows);
}

/** What became of a transaction that failed, and why, in a line. */
export function reasonOf({ outcome, error, values }: TransactionResult): string {
  const failed = values.find((value) => value.error !== "");
  const first = failed === undefined ? "" : `${failed.key}: ${withoutKey(failed.error, failed.key)}`;
  return `${outcome.toLowerCase()}: ${error || first || "no reason was given"}`;
}

/** Errors of the system below begin with the key, which is on the line already. */
function withoutKey(error: string, key: string): string {
  return error.startsWith(`${key}: `) ? error.slice(key.length + 2) : error;
}

/** Of a status' details: why the value is there though nobody asks for it. */
const ORPHANED = /^orphaned since (\S+): (.*)$/s;

/** How many values nobody asks for any more, and what to do; empty when there is none. */
export function orphansText(values: readonly ValueStatus[]): string {
  const count = values.filter(({ details }) => details.some((detail) => ORPHANED.test(detail))).length;
  if (count === 0) return "";
  const what =
    count === 1 ? "1 value stays though nobody asks for it" : `${count} values stay though nobody asks for them`;
  return `\n${what} any more: \`tenuto resync --prune --dry-run\` lists what would go.\n`;
}

/** What a prune would remove, by the reason why nobody asks for it. */
export function prunePlanText({ values }: TransactionResult): string {
  const reasons = new Map<string, string[]>();
  for (const { key, state, details } of values) {
    const [, since = "", reason = ""] =
      details.map((detail) => ORPHANED.exec(detail)).find((found) => found !== null) ?? [];
    if (reason === "") continue;
    const title = `${reason} (since ${since})`;
    const keys = reasons.get(title) ?? [];
    reasons.set(title, keys);
    keys.push(`  ${printable(key)}${state === "REMOVED" ? "" : `, as another source has it: ${state}`}\n`);
  }
  if (reasons.size === 0) return "nothing to remove\n";
  const blocks = [...reasons].map(([title, keys]) => `${printable(title)}\n${keys.join("")}`);
  return `${blocks.join("\n")}\nNothing was done. \`tenuto resync --prune\` removes this, \`tenuto delete KEY\` one of it.\n`;
}
