import { childOf, type FieldSchema, fieldNames, leaves, parseText } from "./fields.js";
import { type ConfigProblem, pathText, unknownName } from "./problems.js";
import { nearest } from "./suggestion.js";

/** Sections by name, each with its schema. */
export type Sections = ReadonlyMap<string, FieldSchema>;

/** A field that was set by a text from outside the file. */
export interface FieldText {
  /** Section first. */
  readonly path: readonly string[];
  readonly value: unknown;
  readonly origin: string;
}

export interface FieldTexts {
  readonly fields: readonly FieldText[];
  readonly problems: readonly ConfigProblem[];
  /** What was not used, in sentences. */
  readonly warnings: readonly string[];
}

/** Variables that other parts of Tenuto read. */
const NOT_SECTIONS = new Set(["TENUTO_LABEL", "TENUTO_SOCKET", "TENUTO_CONFIG", "TENUTO_FLAVOR", "TENUTO_BUNDLE"]);

/** `nats.url` is `TENUTO_NATS_URL`, `interface-state.period` is `TENUTO_INTERFACE_STATE_PERIOD`. */
export function environmentName(path: readonly string[]): string {
  return ["TENUTO", ...path]
    .join("_")
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, "_");
}

/**
 * Fields set by `TENUTO_<SECTION>_<FIELD>`. An unknown field of a section that the flavor has is a problem; a variable that fits
 * no section is only worth a warning, because one environment often serves several programs and flavors.
 */
export function environmentFields(
  sections: Sections,
  environment: Readonly<Record<string, string | undefined>>,
): FieldTexts {
  const known = new Map<string, { readonly path: readonly string[]; readonly schema: FieldSchema }>();
  for (const [section, sectionSchema] of sections) {
    for (const [path, schema] of leaves(sectionSchema)) {
      known.set(environmentName([section, ...path]), { path: [section, ...path], schema });
    }
  }

  const fields: FieldText[] = [];
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith("TENUTO_") || text === undefined || NOT_SECTIONS.has(name)) continue;
    const field = known.get(name);
    if (field !== undefined) {
      fields.push({ path: field.path, value: parseText(field.schema, text), origin: name });
      continue;
    }
    const section = [...sections.keys()].find((one) => name.startsWith(`${environmentName([one])}_`));
    const near = nearest(name, known.keys());
    const hint = near === undefined ? "" : `; did you mean ${near}?`;
    if (section === undefined) warnings.push(`environment variable ${name} sets nothing in this flavor${hint}`);
    else problems.push({ path: name, problem: `sets no field of section ${section}${hint}`, origin: "environment" });
  }
  return { fields, problems, warnings };
}

/** Fields set by `section.field=value` texts of the command line, in their order. */
export function assignedFields(sections: Sections, assignments: readonly string[]): FieldTexts {
  const fields: FieldText[] = [];
  const problems: ConfigProblem[] = [];
  for (const assignment of assignments) {
    const equals = assignment.indexOf("=");
    const path = assignment.slice(0, equals < 0 ? undefined : equals).split(".");
    const origin = "--set";
    if (equals < 0 || path.length < 2) {
      problems.push({ path: assignment, problem: "expected section.field=value", origin });
      continue;
    }
    const found = findField(sections, path);
    if ("problem" in found) problems.push({ ...found, origin });
    else fields.push({ path, value: parseText(found.schema, assignment.slice(equals + 1)), origin });
  }
  return { fields, problems, warnings: [] };
}

type Found = { readonly schema: FieldSchema } | { readonly path: string; readonly problem: string };

function findField(sections: Sections, [section = "", ...path]: readonly string[]): Found {
  let schema = sections.get(section);
  if (schema === undefined) return { path: section, problem: unknownName("section", section, [...sections.keys()]) };
  for (const [depth, name] of path.entries()) {
    const child: FieldSchema | undefined = childOf(schema, name);
    if (child === undefined) {
      return {
        path: pathText([section, ...path.slice(0, depth + 1)]),
        problem: unknownName("field", name, fieldNames(schema)),
      };
    }
    schema = child;
  }
  return { schema };
}
