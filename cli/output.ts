import { Option } from "commander";

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
  if (format === "table") await write(line());
  else if (format === "json") await write(`${JSON.stringify(data)}\n`);
  else await write(`---\n${await serialise(format, data)}`);
}

export async function serialise(format: "json" | "yaml", data: unknown): Promise<string> {
  if (format === "json") return `${JSON.stringify(data, undefined, 2)}\n`;
  const { stringify } = await import("yaml");
  return stringify(data, { lineWidth: 0 });
}

/** Writes to standard output and waits for it, so that a slow reader slows us down rather than filling our memory. */
export function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (cause) => (cause ? reject(cause) : resolve()));
  });
}

/** A note for the person at the terminal, out of the way of what is piped. */
export function note(text: string): void {
  process.stderr.write(`tenuto: ${text}\n`);
}
