import { InvalidInputError } from "#core/errors.js";
import { changesFromDocument } from "#core/model/index.js";
import type { ModelRegistry } from "#core/model/types.js";
import type { Change, SourceItem } from "#core/northbound/index.js";
import type { ParsedDocument } from "./document.js";
import { type Entry, entriesOf } from "./entries.js";
import type { Problem, ReadResult } from "./reader.js";

/**
 * The values of all documents, decoded, with the place each came from. Good only as a whole: everything that is wrong in
 * any of them is found, and then there are no values.
 */
export function desiredItems(
  documents: readonly ParsedDocument[],
  registry: ModelRegistry,
): ReadResult<readonly FileItem[]> {
  const items = new Map<string, FileItem>();
  const problems: Problem[] = [];
  for (const document of documents) {
    for (const entry of entriesOf(document.content)) {
      for (const item of itemsOf(entry, document, registry, problems)) {
        const other = items.get(item.key);
        if (other === undefined) items.set(item.key, item);
        else
          problems.push({
            ...at(document, entry),
            key: item.key,
            field: "",
            message: `the same key is in ${other.origin}`,
          });
      }
    }
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, content: [...items.values()] };
}

/** One, unless the entry is a problem. */
function itemsOf(
  entry: Entry,
  document: ParsedDocument,
  registry: ModelRegistry,
  problems: Problem[],
): readonly FileItem[] {
  try {
    return changesOf(entry, registry).map((change) => new FileItem(decode(change, registry), document, entry));
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const { key = entry.key, field = "" } = error;
    problems.push({
      ...at(document, entry, field),
      key,
      field: entry.numbered(field),
      message: entry.numbered(error.message),
    });
    return [];
  }
}

/** A value, and where it came from in words when somebody asks. */
export class FileItem implements SourceItem {
  readonly key: string;
  readonly value: object;
  private readonly document: ParsedDocument;
  private readonly entry: Entry;

  constructor(
    { key, value }: { readonly key: string; readonly value: object },
    document: ParsedDocument,
    entry: Entry,
  ) {
    this.key = key;
    this.value = value;
    this.document = document;
    this.entry = entry;
  }

  get file(): string {
    return this.document.file;
  }

  get origin(): string {
    const { file } = this;
    const line = this.document.lineOf(this.entry.place);
    return line === undefined ? file : `${file}:${line}`;
  }
}

function changesOf({ document, payload }: Entry, registry: ModelRegistry): readonly Change[] {
  return isPlainChange(payload) ? [payload] : changesFromDocument(document, registry).changes;
}

/** Nothing but a key and a value: there is nothing to check about the change itself. */
function isPlainChange(payload: unknown): payload is Change {
  if (typeof payload !== "object" || payload === null || !("key" in payload) || !("value" in payload)) return false;
  const { key, value } = payload;
  return typeof key === "string" && typeof value === "object" && value !== null && Object.keys(payload).length === 2;
}

function decode(change: Change, registry: ModelRegistry): { readonly key: string; readonly value: object } {
  const { key, value, delete: deletes } = change;
  if (deletes === true || value === undefined) {
    throw new InvalidInputError("NO_VALUE", `${key} has no value; to delete it leave it out of the files`, {
      key,
      field: "value",
    });
  }
  return registry.decode(key, value);
}

/** Where an entry is, or a field of it. */
function at(
  document: ParsedDocument,
  { place, payload }: Entry,
  field = "",
): Pick<Problem, "file" | "line" | "payload"> {
  const inside = field.replace(/^[^[]*\[0\]\.?/, "");
  return { file: document.file, line: document.lineOf(place, inside), payload: JSON.stringify(payload) };
}
