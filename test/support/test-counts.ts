import { stripVTControlCharacters } from "node:util";

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Reads ava's report: the marks of its lines, and the closing lines for what went wrong outside a test. A run that failed
 * without any of these (no test found, a time-out) counts as one failure.
 */
export function countTests(report: string, status: number): TestCounts {
  const lines = stripVTControlCharacters(report).split("\n");
  const marked = (mark: RegExp): number => lines.filter((line) => mark.test(line)).length;
  const closing = /^\s*(\d+) (?:tests?|hooks?) failed$|^\s*(\d+) (?:uncaught exceptions?|unhandled rejections?)$/;
  const failed = lines.reduce((sum, line) => {
    const [, inTests, outside] = closing.exec(line) ?? [];
    return sum + Number(inTests ?? outside ?? 0);
  }, 0);
  return {
    passed: marked(/^\s*✔ /),
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: marked(/^\s*- \[skip\] /),
  };
}
