import type { z } from "zod";
import { alternativesOf, childOf, type FieldSchema, fieldNames } from "./fields.js";
import { masked } from "./secrets.js";
import { didYouMean } from "./suggestion.js";

/** One wrong thing in a configuration. */
export interface ConfigProblem {
  /** `nats.url`, `log.levels.nats`, `file.paths[1]`. */
  readonly path: string;
  /** What it was and what was expected. */
  readonly problem: string;
  /** `tenuto.yaml`, `TENUTO_NATS_URL`, `--set`. */
  readonly origin: string;
}

type Issue = z.core.$ZodIssue;

export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}

/** What zod found wrong in a value that is written at `at` and has the given schema, as sentences that name the value. */
export function issueProblems(
  at: readonly PropertyKey[],
  schema: FieldSchema,
  issue: Issue,
): readonly Omit<ConfigProblem, "origin">[] {
  const path = [...at, ...issue.path];
  const field = schemaAt(schema, issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = field === undefined ? [] : fieldNames(field);
    return issue.keys.map((key) => ({ path: pathText([...path, key]), problem: unknownName("field", key, known) }));
  }
  const meant = issue.code === "invalid_union" && field !== undefined ? meantAlternative(issue, field) : undefined;
  if (meant !== undefined) return meant.issues.flatMap((inner) => issueProblems(path, meant.schema, inner));
  const was = issue.input === undefined ? "is missing" : `was ${shown(issue.input, field, path)}`;
  return [{ path: pathText(path), problem: `${was}, ${expectation(issue)}` }];
}

/** The alternative that was written, if badly: the only one whose type fits. */
function meantAlternative(
  { errors }: z.core.$ZodIssueInvalidUnion,
  field: FieldSchema,
): { readonly schema: FieldSchema; readonly issues: readonly Issue[] } | undefined {
  const fits = errors
    .map((issues, index) => ({ issues, schema: alternativesOf(field)[index] }))
    .filter(({ issues }) => !issues.some(({ code, path }) => code === "invalid_type" && path.length === 0));
  const [first] = fits;
  return fits.length === 1 && first?.schema !== undefined ? { ...first, schema: first.schema } : undefined;
}

export function unknownName(what: string, name: string, known: readonly string[]): string {
  const expected = known.length === 0 ? "" : `, expected one of: ${known.join(", ")}`;
  return `unknown ${what}${expected}${didYouMean(name, known)}`;
}

/** `expected a number` and the like: zod's own words without the prefix that repeats what the value was. */
function expectation(issue: Issue): string {
  if (issue.code === "invalid_union") {
    const alternatives = issue.errors.flatMap(([first]) => (first === undefined ? [] : [expectation(first)]));
    return [...new Set(alternatives)].join(" or ") || "expected something else";
  }
  if (issue.code === "invalid_value") {
    const names = issue.values.map(String);
    return `expected one of: ${names.join(", ")}${didYouMean(String(issue.input), names)}`;
  }
  const text = issue.message.replace(/^(Invalid|Too)\b[^:]*: /, "").replace(/, received .*$/, "");
  return text.startsWith("expected") || text.startsWith("must") ? text : `but: ${text}`;
}

function shown(input: unknown, field: FieldSchema | undefined, path: readonly PropertyKey[]): string {
  const text = JSON.stringify(masked(input, field, String(path.at(-1)))) ?? typeof input;
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function schemaAt(schema: FieldSchema, path: readonly PropertyKey[]): FieldSchema | undefined {
  return path.reduce<FieldSchema | undefined>(
    (parent, part) => (parent === undefined ? undefined : childOf(parent, String(part))),
    schema,
  );
}
