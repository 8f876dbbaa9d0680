import { DOCUMENT_SECTIONS, type DocumentSection } from "#proto/documents.js";
import { InvalidInputError } from "../errors.js";
import type { Change, Transaction } from "../northbound/transaction.js";
import { shown } from "./field-error.js";
import { suggestion } from "./suggestion.js";
import type { ModelRegistry } from "./types.js";

const TRANSACTION = "tenuto.v1.Transaction";
const ACCEPTED =
  "a transaction ({changes: …}), a list of changes ([{key: …, value: …}]), or {linuxConfig: {interfaces: …}}";

/**
 * The transaction that a configuration document stands for. A document, as parsed from YAML or JSON, is a transaction,
 * a list of changes, or lists of values by kind as Ligato writes them: `{linuxConfig: {interfaces, routes, arp_entries,
 * rules}}`. Fields are accepted in `snake_case` and `camelCase`. What has its default value is left out of the result.
 *
 * Values of changes are not looked into; `ModelRegistry.decode` does that. Throws `InvalidInputError` with the path of
 * the field.
 */
export function changesFromDocument(document: unknown, registry: ModelRegistry): Transaction {
  if (Array.isArray(document)) return transaction({ changes: document }, registry);
  if (typeof document !== "object" || document === null) {
    throw new InvalidInputError("INVALID_DOCUMENT", `expected ${ACCEPTED}, got ${shown(document)}`);
  }
  if ("changes" in document) return transaction(document, registry);
  return { changes: Object.entries(document).flatMap(([name, content]) => sectionChanges(name, content, registry)) };
}

function transaction(document: object, registry: ModelRegistry): Transaction {
  const { changes, ...rest } = registry.decodeMessage<Required<Transaction>>(TRANSACTION, document);
  return { ...withoutDefaults(rest), changes: changes.map((change) => withoutDefaults(change) as Change) };
}

function withoutDefaults(message: object): object {
  return Object.fromEntries(
    Object.entries(message).filter(([, value]) => value !== "" && value !== false && value !== "UPDATE"),
  );
}

function sectionChanges(name: string, content: unknown, registry: ModelRegistry): readonly Change[] {
  const section = DOCUMENT_SECTIONS[name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())];
  if (!section) {
    const hint = suggestion(name, ["changes", ...Object.keys(DOCUMENT_SECTIONS)]);
    throw new InvalidInputError("UNKNOWN_FIELD", `${name} is not known here${hint || `; expected ${ACCEPTED}`}`, {
      field: name,
    });
  }
  if (content === null) return [];
  if (typeof content !== "object") {
    throw new InvalidInputError("WRONG_TYPE", `${name}: expected an object, got ${shown(content)}`, { field: name });
  }
  return listedChanges(name, section, content, registry);
}

function listedChanges(name: string, section: DocumentSection, content: object, registry: ModelRegistry): Change[] {
  try {
    const lists = registry.decodeMessage<Record<string, object[]>>(section.message, content);
    return Object.entries(lists).flatMap(([field, values]) =>
      values.map((value, index) => ({
        key: keyOf(`${field}[${index}]`, section.lists[field] ?? "", value, registry),
        value,
      })),
    );
  } catch (thrown) {
    throw below(name, thrown, `${section.message}: `);
  }
}

/** The same error for a document, where the value that was refused stands at `path`. */
function below(path: string, thrown: unknown, subject: string): unknown {
  if (!(thrown instanceof InvalidInputError)) return thrown;
  const { code, field, message } = thrown;
  const problem = message.replace(subject, "");
  if (field === undefined) return new InvalidInputError(code, `${path}: ${problem}`, { field: path });
  return new InvalidInputError(code, `${path}.${problem}`, { field: `${path}.${field}` });
}

function keyOf(path: string, model: string, value: object, registry: ModelRegistry): string {
  try {
    return registry.keyOf(model, value);
  } catch (thrown) {
    throw below(path, thrown, `${model}: `);
  }
}
