import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Change, Transaction } from "#client/types.js";
import { errorMessage, InvalidInputError } from "#core/errors.js";
import type { ModelRegistry } from "#core/model/types.js";
import { CommandError } from "./exit.js";

/** A YAML document or JSON text, with where it came from for messages. */
interface Document {
  readonly file: string;
  readonly text: string;
  /** Which of the documents in the text, from 0. */
  readonly index: number;
  readonly content: object;
}

/**
 * One transaction from configuration files, each of them a transaction, a list of changes or Ligato's `linuxConfig`, in
 * YAML (of any number of documents) or JSON; `-` is standard input. Changes come in the order of the files.
 *
 * Throws `CommandError` with file, line, key and field for a file that cannot be read, parsed or understood. A value
 * under a key that only the agent knows is left to the agent.
 */
export async function readTransaction(files: readonly string[]): Promise<Transaction> {
  const [{ changesFromDocument }, registry] = await Promise.all([import("#core/model/index.js"), contractModels()]);
  let whole: Transaction = { changes: [] };
  for (const document of await readDocuments(files)) {
    const part = await naming(document, "", () => changesFromDocument(document.content, registry) as Transaction);
    // Values in a section have been decoded to find their keys.
    if (isListOfChanges(document.content)) await checkChanges(document, part.changes, registry);
    whole = { ...whole, ...part, changes: [...whole.changes, ...part.changes] };
  }
  return whole;
}

/** The value of a key, from a file. Throws `CommandError` as {@link readTransaction} does. */
export async function readValue(key: string, file: string): Promise<object> {
  const [first, ...others] = await readDocuments([file]);
  if (first === undefined || others.length > 0) throw new CommandError(`${nameOf(file)}: expected one value`);
  const registry = await contractModels();
  await naming(first, "", () => checkValue(key, first.content, registry));
  return first.content;
}

/** Every model of the contract, as an agent has it. */
export async function contractModels(): Promise<ModelRegistry> {
  const [{ createModelRegistry }, { models }] = await Promise.all([
    import("#core/model/index.js"),
    import("#proto/models.js"),
  ]);
  const registry = createModelRegistry({ label: "" });
  for (const model of models) registry.register<object>(model);
  return registry;
}

function isListOfChanges(content: object): boolean {
  return Array.isArray(content) || "changes" in content;
}

async function checkChanges(document: Document, changes: readonly Change[], registry: ModelRegistry): Promise<void> {
  for (const [index, change] of changes.entries()) {
    if (change.delete === true) continue;
    await naming(document, `changes[${index}].value`, () => checkValue(change.key, change.value, registry));
  }
}

/**
 * Keys with a label belong to an agent, and others may be a plugin's: the agent knows. So it does of a value left out.
 */
function checkValue(key: string, value: object | undefined, registry: ModelRegistry): void {
  if (value === undefined || key.startsWith("/") || registry.forKey(key) === undefined) return;
  registry.decode(key, value);
}

async function readDocuments(files: readonly string[]): Promise<readonly Document[]> {
  const documents: Document[] = [];
  for (const file of files) documents.push(...(await parseDocuments(nameOf(file), await readText(file))));
  return documents;
}

async function readText(file: string): Promise<string> {
  try {
    return file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
  } catch (cause) {
    throw new CommandError(`cannot read ${file}: ${errorMessage(cause)}`);
  }
}

async function parseDocuments(file: string, source: string): Promise<readonly Document[]> {
  if (/^\s*[{[]/.test(source)) {
    const json = parseJson(source);
    if (json !== undefined) return [{ file, text: source, index: 0, content: json }];
  }
  const { parseYaml } = await import("./yaml-lines.js");
  const parsed = parseYaml(source);
  if (!parsed.ok) throw new CommandError(`${file}:${parsed.line}: ${parsed.problem}`);
  return parsed.documents.flatMap(({ value, line }, index) => {
    if (value === null || value === undefined) return [];
    if (typeof value === "object") return [{ file, text: source, index, content: value }];
    const expected = "expected a transaction, a list of changes or a linuxConfig";
    throw new CommandError(`${file}:${line}: ${expected}, found ${typeof value}`);
  });
}

/**
 * JSON is much faster to parse than YAML. What looks like JSON and is none may still be YAML, so that the reason is
 * YAML's.
 */
function parseJson(source: string): object | undefined {
  try {
    const value: unknown = JSON.parse(source);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/**
 * Does something with a document, of which `path` is the part concerned, and says file and line of what is wrong with
 * it.
 */
async function naming<T>(document: Document, path: string, use: () => T): Promise<T> {
  try {
    return use();
  } catch (cause) {
    if (!(cause instanceof InvalidInputError)) throw cause;
    const { lineOfField } = await import("./yaml-lines.js");
    const field = [path, cause.field].filter(Boolean).join(".");
    const line = lineOfField(document.text, document.index, field);
    throw new CommandError(`${document.file}:${line}: ${cause.message}`);
  }
}

function nameOf(file: string): string {
  return file === "-" ? "standard input" : file;
}
