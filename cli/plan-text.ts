import { styleText } from "node:util";
import type { TransactionResult } from "#client/types.js";
import { printable } from "./columns.js";
import { type Action, type FieldChange, isChange, isProblem, type ValueChange } from "./plan.js";

type Colour = "green" | "yellow" | "red" | "cyan" | "dim";

const SIGN: Readonly<Record<Action, readonly [sign: string, colour: Colour]>> = {
  create: ["+", "green"],
  update: ["~", "yellow"],
  recreate: ["±", "yellow"],
  delete: ["-", "red"],
  withdraw: ["-", "red"],
  wait: ["…", "cyan"],
  none: [" ", "dim"],
  refuse: ["!", "red"],
};

/** Totals, in the order in which they are told: what will be, and what was done. */
const TOTALS: readonly (readonly [actions: readonly Action[], planned: string, done: string, always: boolean])[] = [
  [["create"], "to create", "created", true],
  [["update"], "to change", "changed", true],
  [["recreate"], "to re-create", "re-created", false],
  [["delete", "withdraw"], "to delete", "deleted", true],
];

/** So many changes of a transaction are listed; problems always are. */
const MOST_LISTED = 200;

/** A plan for people: what would happen to each value, field by field, and the totals. */
export function planText(changes: readonly ValueChange[], operations: TransactionResult["operations"] = []): string {
  const listed = changes.filter((change) => isChange(change) || isProblem(change));
  const named = listed.filter(({ isNamed }) => isNamed);
  const following = listed.filter(({ isNamed }) => !isNamed);
  const blocks = [
    ...named.map(plannedText),
    ...(following.length === 0 ? [] : ["\nAs a consequence:\n", ...following.map(plannedText)]),
    ...(operations.length === 0 ? [] : ["\nOperations:\n", ...operations.map(operationText)]),
  ];
  const gap = blocks.length === 0 ? "" : "\n";
  return `${blocks.join("")}${gap}${listed.some(isChange) ? `Plan: ${totals(changes, 1)}` : `No changes${waiting(changes)}`}.\n`;
}

/** What was done to each value, what has problems, and the totals. */
export function outcomeText(changes: readonly ValueChange[]): { readonly lines: string; readonly totals: string } {
  const problems = changes.filter(isProblem);
  const waits = changes.filter((change) => !isProblem(change) && change.state === "PENDING");
  const done = changes.filter((change) => isChange(change) && !isProblem(change) && change.state !== "PENDING");
  const lines = [
    ...shortened(done),
    ...waits.map((change) => line(change.action === "withdraw" ? "withdraw" : "wait", change.key, waitText(change))),
    ...problems.map((change) => line("refuse", change.key, `${change.state}: ${problemText(change)}`)),
  ];
  const counted = [changes.some(isChange) ? totals(changes, 2) : `no changes${waiting(changes)}`];
  if (problems.length > 0) counted.push(`${problems.length} with problems`);
  return { lines: lines.join(""), totals: counted.join(", ") };
}

function shortened(changes: readonly ValueChange[]): readonly string[] {
  const lines = changes.slice(0, MOST_LISTED).map(({ key, action }) => line(action, key, ""));
  const more = changes.length - lines.length;
  return more === 0 ? lines : [...lines, `  and ${more} more; \`-o json\` has them all\n`];
}

function plannedText(change: ValueChange): string {
  const { key, action, fields } = change;
  return (
    line(isProblem(change) ? "refuse" : action, key, remark(change)) +
    fields.map((each) => fieldText(each, action)).join("")
  );
}

function remark(change: ValueChange): string {
  const { action, isNamed, state } = change;
  if (isProblem(change)) return `${state}: ${problemText(change)}`;
  if (state === "PENDING") return waitText(change);
  if (action === "recreate") {
    return isNamed ? "is deleted and created again: it cannot be changed in place" : "what it depends on changes";
  }
  if (action === "create" && !isNamed) return "what it waited for is there";
  if (action === "update" && change.fields.length === 0) return "is put right again";
  return "";
}

function waitText({ action, waitsFor }: ValueChange): string {
  const what = waitsFor.join(", ");
  if (action === "withdraw") return `goes, and waits${what === "" ? " until it can be there again" : ` for ${what}`}`;
  return `waits for ${what || "what it depends on"}`;
}

/** Errors begin with the key, which is on the line already. */
function problemText({ key, error }: ValueChange): string {
  return error.startsWith(`${key}: `) ? error.slice(key.length + 2) : error;
}

function line(action: Action, key: string, remarked: string): string {
  const [sign, colour] = SIGN[action];
  return `${paint(colour, sign)} ${printable(key)}${remarked === "" ? "" : `  ${paint("dim", printable(remarked))}`}\n`;
}

function fieldText({ field, before, after }: FieldChange, action: Action): string {
  const name = `    ${printable(field)}: `;
  if (Array.isArray(before) || Array.isArray(after)) return name + listText(items(before), items(after), action);
  const isWhole = isWholeValue(action);
  const old = before === undefined ? (isWhole ? "" : "unset → ") : paint("red", shown(before));
  const arrow = before === undefined || (isWhole && after === undefined) ? "" : " → ";
  const fresh = after === undefined ? (isWhole ? "" : "unset") : paint("green", shown(after));
  return `${name}${old}${arrow}${fresh}\n`;
}

/** Does the value come or go, so that its fields have one side only? */
function isWholeValue(action: Action): boolean {
  return action === "create" || action === "delete" || action === "wait";
}

/** Of a list, what comes and what goes. */
function listText(before: readonly string[], after: readonly string[], action: Action): string {
  if (isWholeValue(action)) {
    return after.length > 0 ? `${paint("green", after.join(", "))}\n` : `${paint("red", before.join(", "))}\n`;
  }
  const goes = before.filter((item) => !after.includes(item)).map((item) => paint("red", `-${item}`));
  const comes = after.filter((item) => !before.includes(item)).map((item) => paint("green", `+${item}`));
  // Only the order differs.
  if (goes.length + comes.length === 0) return `${before.join(", ")} → ${after.join(", ")}\n`;
  return `${[...goes, ...comes].join(", ")}\n`;
}

function items(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.map(shown) : [];
}

function shown(value: unknown): string {
  return printable(typeof value === "string" && /^[^\s,]+$/.test(value) ? value : JSON.stringify(value));
}

function operationText({ operation, key, state, error, derived }: TransactionResult["operations"][number]): string {
  return `  ${operation.padEnd(6)}  ${derived ? "  " : ""}${printable(key)}  ${paint("dim", printable([state, error].filter(Boolean).join(" ")))}\n`;
}

function totals(changes: readonly ValueChange[], tense: 1 | 2): string {
  const parts = TOTALS.flatMap((total) => {
    const [actions, , , always] = total;
    const count = changes.filter(({ action }) => actions.includes(action)).length;
    return count > 0 || (always && tense === 1) ? [`${count} ${total[tense]}`] : [];
  });
  return parts.join(", ") + waiting(changes, parts.length === 0 ? "" : tense === 1 ? "; " : ", ");
}

function waiting(changes: readonly ValueChange[], separator = "; "): string {
  const count = changes.filter(({ state }) => state === "PENDING").length;
  return count === 0 ? "" : `${separator}${count} waiting`;
}

/** Colours are for terminals whose user has not said no to them (https://no-color.org). */
function paint(colour: Colour, text: string): string {
  const { NO_COLOR = "", FORCE_COLOR = "" } = process.env;
  const desired = NO_COLOR === "" && (FORCE_COLOR !== "" || process.stdout.isTTY === true);
  return desired && text !== "" ? styleText(colour, text) : text;
}
