import { type Command, Option } from "commander";
import type { AgentEvent, DriftReport, TransactionResult, ValueStatus, WatchTopic } from "#client/types.js";
import type { InterfaceEvent, InterfaceNotification } from "#proto/index.js";
import { type ClientOptions, clientCommand } from "../client-command.js";
import { printable } from "../columns.js";
import { UsageError } from "../exit.js";
import { printItem } from "../output.js";

const LINES: Readonly<Record<string, (event: AgentEvent) => readonly string[]>> = {
  interfaces: interfaceLine,
  values: valueLine,
  drift: driftLine,
  transactions: transactionLine,
  ifmgr: ifmgrLine,
  health: healthLine,
  deadletters: deadLetterLine,
};

interface WatchOptions extends ClientOptions {
  readonly count?: string;
}

/** `tenuto watch`: until it is interrupted, or the agent stops. */
export function watchCommand(): Command {
  return clientCommand<WatchOptions, [topic?: string]>({
    usage: "watch [topic]",
    summary: "print what happens, as it happens",
    description:
      "Print what happens, a line per event: interfaces (the default), values, drift, transactions, ifmgr, health or deadletters.",
    options: (command) => command.addOption(new Option("--count <n>", "end after so many events")),
    examples: ["tenuto watch", "tenuto watch values -o json"],
    run: async (client, { output, count }, topic = "interfaces") => {
      const line = LINES[topic];
      if (line === undefined)
        throw new UsageError(`cannot watch "${topic}"; expected one of ${Object.keys(LINES).join(", ")}`);
      let left = count === undefined ? Number.POSITIVE_INFINITY : positive(count);
      for await (const event of client.watch(topic as WatchTopic, { signal: interrupted() })) {
        await printItem(output, event, () => `${line(event).map(printable).join("  ")}\n`);
        left -= 1;
        if (left <= 0) return;
      }
    },
  });
}

function positive(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new UsageError(`--count is "${text}"; expected a positive number`);
}

/** Aborts at the first Ctrl-C, so that watching ends as a success. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort());
  process.once("SIGTERM", () => controller.abort());
  return controller.signal;
}

function interfaceLine({ time, subject, data }: AgentEvent): readonly string[] {
  const state = (data as InterfaceNotification).state ?? {};
  const host = state.internal_name === undefined || state.internal_name === subject ? "" : `(${state.internal_name})`;
  const oper = state.oper_status ?? "UNKNOWN_STATUS";
  if (oper === "DELETED") return [time, `${subject}${host}`, "DELETED"];
  return [
    time,
    `${subject}${host}`,
    `admin ${state.admin_status ?? "UNKNOWN_STATUS"}`,
    `oper ${oper}`,
    ...(state.ip_addresses ?? []),
  ];
}

function valueLine({ time, data }: AgentEvent): readonly string[] {
  const { key, state, error, details } = data as Partial<ValueStatus>;
  return [time, (state ?? "NONEXISTENT").padEnd(12), key ?? "", [error, ...(details ?? [])].filter(Boolean).join("; ")];
}

function driftLine({ time, data }: AgentEvent): readonly string[] {
  const { key, after, policy, fight, keys } = data as Partial<DriftReport>;
  const what = after === undefined ? "VANISHED" : "CHANGED";
  return [time, what.padEnd(8), key ?? "", fight ? "fought over" : (policy ?? ""), (keys ?? []).join(" ")];
}

function transactionLine({ time, subject, data }: AgentEvent): readonly string[] {
  const { seq, outcome, operations, error } = data as Partial<TransactionResult>;
  return [time, `#${seq ?? 0}`, outcome ?? "", `${operations?.length ?? 0} operations`, subject, error ?? ""];
}

function ifmgrLine({ time, subject, data }: AgentEvent): readonly string[] {
  const { type, status } = data as InterfaceEvent;
  const running = `${status?.running?.length ?? 0} running`;
  return [time, subject, (type ?? "UNKNOWN").padEnd(21), status?.state ?? "UNPLUGGED", running, status?.error ?? ""];
}

function healthLine({ time, subject, data }: AgentEvent): readonly string[] {
  const { state, reason } = data as { readonly state?: string; readonly reason?: string };
  return [time, subject, state ?? "", reason ?? ""];
}

function deadLetterLine({ time, subject, data }: AgentEvent): readonly string[] {
  const { key, error } = data as { readonly key?: string; readonly error?: string };
  return [time, subject, key ?? "", error ?? ""];
}
