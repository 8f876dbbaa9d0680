import { InvalidInputError } from "../errors.js";
import type { Flavor } from "../flavor/index.js";
import type { ConfigSchema } from "../plugin/index.js";
import { type ConfigProblem, issueProblems, unknownName } from "./problems.js";
import { masked } from "./secrets.js";
import { coreSections } from "./sections.js";
import { assignedFields, environmentFields, type FieldText } from "./texts.js";

/** Where a configuration comes from, weakest first. */
export interface ConfigurationInput {
  /** The content of a configuration file: sections by plugin name. `label` and `flavor` may stand beside them. */
  readonly content?: Readonly<Record<string, unknown>>;
  /** What error messages call the content; a file name. */
  readonly origin?: string;
  /** `TENUTO_<SECTION>_<FIELD>`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** `section.field=value`. */
  readonly assignments?: readonly string[];
}

/** A validated configuration: every section complete with defaults. */
export interface Configuration {
  /** By plugin name, and the core's own: `agent`, `log`, `scheduler`. */
  readonly sections: ReadonlyMap<string, object>;
  /** All of it with secrets masked. */
  readonly shown: object;
  /** What was given and not used. */
  readonly warnings: readonly string[];
}

export type CheckedConfiguration =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Keys of a configuration file that are no sections. */
export const TOP_LEVEL_FIELDS = ["label", "flavor"] as const;

/** The sections of a flavor: those of the core, then its plugins' in order. */
export function sectionsOf(flavor: Flavor): ReadonlyMap<string, ConfigSchema> {
  const sections = new Map<string, ConfigSchema>(Object.entries(coreSections));
  for (const { definition } of flavor.plugins) {
    const { name, config } = definition;
    if (Object.hasOwn(coreSections, name) || TOP_LEVEL_FIELDS.some((field) => field === name)) {
      throw new InvalidInputError(
        "PLUGIN_NAME_RESERVED",
        `a plugin cannot be called "${name}": the agent uses that name itself`,
      );
    }
    if (config !== undefined) sections.set(name, config.strict());
  }
  return sections;
}

/** Validates a configuration for a flavor and collects every problem. */
export function checkConfiguration(flavor: Flavor, input: ConfigurationInput): CheckedConfiguration {
  const sections = sectionsOf(flavor);
  const { content = {}, origin = "configuration" } = input;
  const environment = environmentFields(sections, input.environment ?? {});
  const assigned = assignedFields(sections, input.assignments ?? []);
  const texts = [...environment.fields, ...assigned.fields];

  const unknownSections = Object.keys(content)
    .filter((name) => !sections.has(name) && !TOP_LEVEL_FIELDS.some((field) => field === name))
    .map((path) => ({
      path,
      problem: `${unknownName("section", path, [...sections.keys()])} (flavor ${flavor.name})`,
      origin,
    }));
  const checked = [...sections].map(([name, schema]) => {
    const written = withTexts(content[name] ?? {}, texts, name);
    return checkSection(name, schema, written, (path) => originOf(path, texts) ?? origin);
  });
  const problems = [
    ...unknownSections,
    ...environment.problems,
    ...assigned.problems,
    ...checked.flatMap((section) => section.problems),
  ];
  if (problems.length > 0) return { ok: false, problems };

  const values = new Map(checked.map(({ name, value }) => [name, value]));
  const shown = Object.fromEntries(checked.map(({ name, value }) => [name, masked(value, sections.get(name))]));
  const warnings = [...environment.warnings, ...assigned.warnings];
  return { ok: true, configuration: { sections: values, shown, warnings } };
}

/** As {@link checkConfiguration}; throws `InvalidInputError` (`CONFIG_INVALID`) with a line for every problem. */
export function resolveConfiguration(flavor: Flavor, input: ConfigurationInput): Configuration {
  const checked = checkConfiguration(flavor, input);
  if (checked.ok) return checked.configuration;
  throw new InvalidInputError("CONFIG_INVALID", checked.problems.map(problemText).join("\n"), {
    field: checked.problems[0]?.path,
  });
}

/** `nats.url (TENUTO_NATS_URL): was 5, expected string`. */
export function problemText({ path, origin, problem }: ConfigProblem): string {
  return `${path} (${origin}): ${problem}`;
}

interface CheckedSection {
  readonly name: string;
  readonly value: object;
  readonly problems: readonly ConfigProblem[];
}

function checkSection(
  name: string,
  schema: ConfigSchema,
  written: unknown,
  originAt: (path: string) => string,
): CheckedSection {
  const result = schema.safeParse(written, { reportInput: true });
  if (result.success) return { name, value: result.data, problems: [] };
  const problems = result.error.issues
    .flatMap((issue) => issueProblems([name], schema, issue))
    .map((problem) => ({ ...problem, origin: originAt(problem.path) }));
  return { name, value: {}, problems };
}

/** The section as the file has it, with the fields of the environment and the command line put in. */
function withTexts(section: unknown, texts: readonly FieldText[], name: string): unknown {
  return texts
    .filter(({ path }) => path[0] === name)
    .reduce((filled, { path, value }) => withField(filled, path.slice(1), value), section);
}

function withField(target: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  if (Array.isArray(target)) {
    return target.map((item: unknown, index) => (String(index) === name ? withField(item, rest, value) : item));
  }
  if (typeof target !== "object" || target === null) return target;
  const below = (target as Readonly<Record<string, unknown>>)[name] ?? {};
  return { ...target, [name]: withField(below, rest, value) };
}

/** Who set a field last: the one with the longest path that leads to it. */
function originOf(path: string, texts: readonly FieldText[]): string | undefined {
  return texts.findLast((text) => path === text.path.join(".") || path.startsWith(`${text.path.join(".")}[`))?.origin;
}
