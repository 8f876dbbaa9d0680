import { Writable } from "node:stream";

const LEVELS: Readonly<Record<number, readonly [name: string, colour: number]>> = {
  10: ["TRACE", 90],
  20: ["DEBUG", 36],
  30: ["INFO ", 32],
  40: ["WARN ", 33],
  50: ["ERROR", 31],
  60: ["FATAL", 35],
};

/** Fields that the line shows in its own way, or that say nothing to a reader at a terminal. */
const OWN_FIELDS = new Set(["level", "time", "msg", "logger", "label", "pid", "hostname", "v", "err"]);

/**
 * One record as a line: `12:00:01.123 INFO  nats: connected url=nats://…`. The stack of an error follows on its own lines.
 * `colours` puts ANSI colours around level and logger.
 */
export function textLine(record: Readonly<Record<string, unknown>>, colours: boolean): string {
  const paint = (text: string, colour: number): string => (colours ? `\u001b[${colour}m${text}\u001b[0m` : text);
  const [level, colour] = LEVELS[Number(record.level)] ?? [String(record.level), 0];
  const time = new Date(Number(record.time)).toISOString().slice(11, 23);
  const fields = Object.entries(record)
    .filter(([name]) => !OWN_FIELDS.has(name))
    .map(([name, value]) => ` ${paint(`${name}=`, 90)}${typeof value === "string" ? value : JSON.stringify(value)}`);
  const line = `${paint(time, 90)} ${paint(level, colour)} ${String(record.logger ?? "")}: ${String(record.msg ?? "")}`;
  return `${line}${fields.join("")}${errorLines(record.err)}\n`;
}

/** A stream that takes pino's JSON lines and writes readable ones to `target`. */
export function textStream(target: NodeJS.WritableStream, colours: boolean): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      target.write(textLine(JSON.parse(chunk) as Record<string, unknown>, colours));
      done();
    },
  });
}

function errorLines(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const { stack, message } = error as { readonly stack?: unknown; readonly message?: unknown };
  const text = typeof stack === "string" ? stack : String(message);
  return `\n${text.replaceAll(/^/gm, "    ")}`;
}
