/** Which tests run where: files that are called `*.machine.test.ts` in the machine (see machine.ts), all others here. */
import { readdirSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { projectRoot } from "./project.js";

export type Place = "here" | "machine";

/** Parameters of ava that are followed by a value. */
const WITH_VALUE = /^(-c|--concurrency|-m|--match|-T|--timeout|--config|--node-arguments)$/;

/** `file.js:12-20` */
export const LINES = /(:\d[\d,-]*)$/;

/** Compiled test files, relative to the project. */
export function testFiles(): readonly string[] {
  const files = readdirSync(join(projectRoot, "dist/test"), { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".test.js")).map((file) => join("dist/test", file));
}

/** Where a file runs. */
export function placeOf(file: string): Place {
  return file.endsWith(".machine.test.js") ? "machine" : "here";
}

/**
 * The parameters for ava in each place that has any of the files it is told of, with the files themselves instead of patterns; when it is
 * told of none, the same in both: ava's configuration knows what belongs there.
 */
export function divide(parameters: readonly string[], files: readonly string[]): ReadonlyMap<Place, readonly string[]> {
  const isPattern = (parameter: string, i: number): boolean =>
    !parameter.startsWith("-") && !WITH_VALUE.test(parameters[i - 1] ?? "");
  const patterns = parameters.filter(isPattern);
  if (patterns.length === 0) return new Map([["here", parameters] as const, ["machine", parameters] as const]);
  const others = parameters.filter((parameter, i) => !isPattern(parameter, i));
  const meant = new Map<Place, string[]>();
  for (const pattern of patterns) {
    const [, lines = ""] = LINES.exec(pattern) ?? [];
    for (const file of files.filter((each) => matches(each, pattern))) {
      const place = placeOf(file);
      meant.set(place, [...(meant.get(place) ?? others), `${file}${lines}`]);
    }
  }
  // ava itself says what is wrong with patterns that nothing matches.
  return meant.size === 0 ? new Map([["here", parameters] as const]) : meant;
}

/** Is that a file that the pattern of a file, folder or glob, with or without line numbers, means? */
function matches(file: string, pattern: string): boolean {
  const path = pattern.replace(LINES, "");
  const here = isAbsolute(path) ? relative(projectRoot, path) : path.replace(/^\.\//, "");
  return file.startsWith(`${here.replace(/\/$/, "")}/`) || expression(here).test(file);
}

function expression(glob: string): RegExp {
  const source = glob.replace(/\*\*\/|\*|\?|\{[^}]*\}|[^\w/]/g, (part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    if (part.startsWith("{"))
      return `(?:${part
        .slice(1, -1)
        .split(",")
        .map((each) => expression(each).source.slice(1, -1))
        .join("|")})`;
    return `\\${part}`;
  });
  return new RegExp(`^${source}$`);
}
