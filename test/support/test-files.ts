/** Which tests run where: files that are called `*.machine.test.ts` in the machine (see machine.ts), all others here. */
import { readdirSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { projectRoot } from "./project.js";

export type Place = "here" | "machine";

/** Parameters of ava that are followed by a value. */
const WITH_VALUE = /^(-c|--concurrency|-m|--match|-T|--timeout|--config|--node-arguments)$/;

/** Compiled test files, relative to the project. */
export function testFiles(): readonly string[] {
  const files = readdirSync(join(projectRoot, "dist/test"), { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".test.js")).map((file) => join("dist/test", file));
}

/** The places that the files which ava is told of belong to: both, when it is told of none. */
export function placesOf(parameters: readonly string[], files: readonly string[]): ReadonlySet<Place> {
  const patterns = parameters.filter(
    (parameter, i) => !parameter.startsWith("-") && !WITH_VALUE.test(parameters[i - 1] ?? ""),
  );
  const meant = patterns.length === 0 ? files : files.filter((file) => patterns.some((each) => matches(file, each)));
  const places = new Set(meant.map((file): Place => (file.endsWith(".machine.test.js") ? "machine" : "here")));
  // ava itself says what is wrong with a pattern that nothing matches.
  return places.size === 0 ? new Set<Place>(["here"]) : places;
}

/** Is that a file that the pattern of a file, folder or glob, with or without line numbers, means? */
function matches(file: string, pattern: string): boolean {
  const [path = ""] = pattern.split(/:(?=\d)/);
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
