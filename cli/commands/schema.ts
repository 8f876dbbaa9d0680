import { Command } from "commander";
import type { JsonSchema } from "#plugins/http/index.js";
import { DOCUMENT_SECTIONS } from "#proto/documents.js";
import { type Model, models } from "#proto/models.js";
import { withExample } from "../help.js";
import { serialise, write } from "../output.js";
import { protoFiles } from "../proto-files.js";
import { modelAt } from "./explain.js";

const DIALECT = "https://json-schema.org/draft/2020-12/schema";
const TRANSACTION = "tenuto.v1.Transaction";
const CHANGE = "tenuto.v1.Change";

/** `tenuto schema`: what editors and generators of clients need to know of configuration files and values. */
export function schemaCommand(): Command {
  const command = new Command("schema")
    .summary("print the JSON Schema of configuration files")
    .description(
      "Print the JSON Schema (2020-12) of the files that `tenuto apply` takes, with the documentation of every field; with a model (see `tenuto explain`), that of its values. An editor with the YAML language server completes and checks a file that begins with `# yaml-language-server: $schema=tenuto.schema.json`.",
    )
    .argument("[model]", "route")
    .action(async (model?: string) => {
      await write(await serialise("json", await (model === undefined ? documentSchema() : valueSchema(model))));
    });
  return withExample(command, "tenuto schema > tenuto.schema.json", "tenuto schema route");
}

/** Of the values of one model. Throws `CommandError` for a name that no model has. */
export async function valueSchema(model: string): Promise<JsonSchema> {
  const [{ message }] = modelAt(models, model);
  return { $schema: DIALECT, title: message, ...refTo(message), $defs: await definitions([message]) };
}

/** Of a document: a transaction, a list of changes, or lists of values by kind. */
export async function documentSchema(): Promise<JsonSchema> {
  const sections = Object.entries(DOCUMENT_SECTIONS);
  const $defs = await definitions([
    TRANSACTION,
    CHANGE,
    ...models.map(({ message }) => message),
    ...sections.map(([, { message }]) => message),
  ]);
  const changes = { type: "array", items: refTo(CHANGE) };
  return {
    $schema: DIALECT,
    title: "Tenuto configuration",
    oneOf: [
      { ...refTo(TRANSACTION), required: ["changes"] },
      changes,
      {
        type: "object",
        properties: Object.fromEntries(sections.map(([name, { message }]) => [name, refTo(message)])),
        additionalProperties: false,
      },
    ],
    $defs: { ...$defs, [CHANGE]: changeSchema($defs[CHANGE] ?? {}) },
  };
}

async function definitions(names: readonly string[]): Promise<Readonly<Record<string, JsonSchema>>> {
  const [{ messageSchemas }, root] = await Promise.all([import("#plugins/http/index.js"), protoFiles()]);
  return messageSchemas(names, { root, ref: refTo, closed: true });
}

function refTo(message: string): JsonSchema {
  return { $ref: `#/$defs/${message}` };
}

/** The value of a change is the message of its key. */
function changeSchema(change: JsonSchema): JsonSchema {
  return { ...change, required: ["key"], allOf: models.map(valueByKey) };
}

function valueByKey({ prefix, message }: Model<object>): JsonSchema {
  const pattern = `^${prefix.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`;
  return {
    if: { properties: { key: { pattern } }, required: ["key", "value"] },
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
    then: { properties: { value: refTo(message) } },
  };
}
