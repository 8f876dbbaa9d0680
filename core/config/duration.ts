import { z } from "zod";

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;
const TERM = /(\d+(?:\.\d+)?)(ms|s|m|h)/g;

/**
 * A length of time in a configuration section: `500ms`, `10s`, `5m`, `1h30m`, or a number of seconds. Parsed to milliseconds.
 * Use `.prefault("10s")` for a default.
 */
export const duration = z
  .union([
    z.string().regex(DURATION, "expected a duration such as 500ms, 10s, 5m or 1h"),
    z.number().nonnegative("expected a duration such as 10s, or a number of seconds"),
  ])
  .transform((value) => (typeof value === "number" ? value * 1000 : toMs(value)));

function toMs(text: string): number {
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(TERM)) ms += Number(amount) * MS[unit as keyof typeof MS];
  return ms;
}
