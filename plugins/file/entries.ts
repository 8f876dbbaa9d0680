/** One value of a document, as a document of its own, so that whatever is wrong with it can be told by its place. */
export interface Entry {
  readonly document: unknown;
  /** The object of the whole document that field paths of the value start from. */
  readonly place: unknown;
  /** What the user wrote. */
  readonly payload: unknown;
  /** Its key where the document says it, else empty. */
  readonly key: string;
  /** A text about `document` as a text about the whole one: the value is not the first of its list there. */
  numbered(text: string): string;
}

/**
 * Takes a document apart: a transaction, a list of changes, or lists of values by kind. What is none of these comes as one
 * entry.
 */
export function* entriesOf(content: unknown): Generator<Entry> {
  if (Array.isArray(content)) {
    for (const [index, change] of content.entries()) yield changeEntry(change, index);
  } else if (isObject(content) && Array.isArray(content.changes)) {
    const { changes, ...rest } = content;
    if (Object.keys(rest).length > 0) yield whole({ ...rest, changes: [] }, content);
    for (const [index, change] of content.changes.entries()) yield changeEntry(change, index);
  } else if (isObject(content)) {
    for (const [name, section] of Object.entries(content)) yield* sectionEntries(name, section);
  } else {
    yield whole(content, content);
  }
}

function* sectionEntries(name: string, section: unknown): Generator<Entry> {
  if (!isObject(section) || Object.keys(section).length === 0) {
    yield whole({ [name]: section }, section);
    return;
  }
  for (const [field, list] of Object.entries(section)) {
    if (!Array.isArray(list) || list.length === 0) {
      yield whole({ [name]: { [field]: list } }, section);
      continue;
    }
    for (const [index, value] of list.entries()) {
      yield {
        document: { [name]: { [field]: [value] } },
        place: value,
        payload: value,
        key: "",
        numbered: numbering(index),
      };
    }
  }
}

function changeEntry(change: unknown, index: number): Entry {
  const fields = isObject(change) ? change : {};
  const key = typeof fields.key === "string" ? fields.key : "";
  return { document: [change], place: fields.value ?? change, payload: change, key, numbered: numbering(index) };
}

function whole(document: unknown, place: unknown): Entry {
  return { document, place, payload: document, key: "", numbered: (text) => text };
}

function numbering(index: number): (text: string) => string {
  return (text) => text.replace("[0]", `[${index}]`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
