import type { Command } from "commander";
import type { HistoryEntry } from "#client/types.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { columns } from "../columns.js";
import { UsageError } from "../exit.js";
import { print } from "../output.js";

/** `tenuto history`. */
export function historyCommand(): Command {
  return clientCommand<ClientOptions, [seq?: string]>({
    usage: "history [seq]",
    summary: "print past transactions",
    description: "Print the transactions that the agent remembers, or one of them with its operations.",
    examples: ["tenuto history", "tenuto history 12"],
    run: async (client, { output }, seq) => {
      const entries = await client.history(seq === undefined ? undefined : sequenceNumber(seq));
      const [only] = entries;
      if (seq === undefined || only === undefined) return print(output, entries, () => historyTable(entries));
      return print(output, only, () => entryText(only));
    },
  });
}

function sequenceNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`"${text}" is not the sequence number of a transaction`);
}

function historyTable(entries: readonly HistoryEntry[]): string {
  const rows = entries.map((entry) => [
    String(entry.seq),
    entry.start,
    `${milliseconds(entry)} ms`,
    entry.kind,
    entry.source,
    entry.outcome,
    String(entry.executed.length),
    entry.error || entry.description,
  ]);
  return columns(["seq", "start", "took", "kind", "source", "outcome", "operations", "description"], rows);
}

function entryText(entry: HistoryEntry): string {
  const facts = [
    ["transaction", String(entry.seq)],
    ["id", entry.id],
    ["description", entry.description],
    ["kind", entry.kind],
    ["source", entry.source],
    ["start", entry.start],
    ["took", `${milliseconds(entry)} ms`],
    ["outcome", entry.outcome],
    ["error", entry.error],
  ].filter(([, value]) => value);
  const rows = entry.executed.map(({ operation, key, state, error, derived }) => [
    operation,
    (derived ? "  " : "") + key,
    state,
    error,
  ]);
  return `${facts.map(([name, value]) => `${name}: ${value}\n`).join("")}\n${columns(["operation", "key", "state", "error"], rows)}`;
}

function milliseconds({ start, stop }: HistoryEntry): number {
  return Date.parse(stop) - Date.parse(start);
}
