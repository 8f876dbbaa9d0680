export interface TapResult {
  readonly title: string;
  readonly passed: boolean;
  /** What is said about a failure. */
  readonly details: string;
}

/** The tests in a report in the Test Anything Protocol, skipped ones left out. */
export function resultsOf(report: string): readonly TapResult[] {
  const results: { title: string; passed: boolean; details: string }[] = [];
  for (const line of report.split(/\r?\n/)) {
    const [, not, title] = /^(not )?ok \d+ - (.*)$/.exec(line) ?? [];
    if (title !== undefined && !/ # (SKIP|TODO)/i.test(title)) {
      results.push({ title, passed: not === undefined, details: "" });
    } else if (line.startsWith(" ")) {
      const last = results.at(-1);
      if (last !== undefined) last.details += `${line}\n`;
    }
  }
  return results;
}
