import { Option } from "commander";
import { errorMessage } from "#core/errors.js";
import { CommandError, ExitStatus } from "./exit.js";

export type OutputFormat = "table" | "json" | "yaml";

/** `-o` of every command that prints something. */
export function outputOption(): Option {
  return new Option("-o, --output <format>", "how to print").choices(["table", "json", "yaml"]).default("table");
}

/** Prints the data as JSON or YAML, or what `table` makes of it. */
export async function print(format: OutputFormat, data: unknown, table: () => string | Promise<string>): Promise<void> {
  if (format === "table") await write(await table());
  else await write(await serialise(format, data));
}

/** One item of an endless list: a line of JSON, a YAML document, or a line of text. */
export async function printItem(format: OutputFormat, data: unknown, line: () => string): Promise<void> {
  const item =
    format === "table" ? line() : format === "json" ? jsonLine(data) : `---\n${await serialise(format, data)}`;
  // Nobody wants the rest of the list.
  if (!(await write(item))) process.exit(ExitStatus.done);
}

function jsonLine(data: unknown): string {
  return `${JSON.stringify(data)}\n`;
}

export async function serialise(format: "json" | "yaml", data: unknown): Promise<string> {
  if (format === "json") return `${JSON.stringify(data, undefined, 2)}\n`;
  const { stringify } = await import("yaml");
  return stringify(data, { lineWidth: 0 });
}

/**
 * Writes to standard output and waits for it, so that a slow reader slows us down rather than filling our memory. False when nobody
 * reads any more: `tenuto apply … | head` has read enough, which changes nothing of how the command ends.
 */
export async function write(text: string): Promise<boolean> {
  try {
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(text, (cause) => (cause ? reject(cause) : resolve()));
    });
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EPIPE") return false;
    throw new CommandError(`cannot write to standard output: ${errorMessage(cause)}`);
  }
}

/** The streams tell an error to their listeners, too, and end the process where there are none. */
export function leaveErrorsToWriters(): void {
  process.stdout.on("error", () => undefined);
}

/** A note for the person at the terminal, out of the way of what is piped. */
export function note(text: string): void {
  process.stderr.write(`tenuto: ${text}\n`);
}
