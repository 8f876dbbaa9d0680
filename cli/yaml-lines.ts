import { isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";

export type ParsedYaml =
  | { readonly ok: true; readonly documents: readonly { readonly value: unknown; readonly line: number }[] }
  | { readonly ok: false; readonly line: number; readonly problem: string };

/**
 * Every document of a YAML text with the line it begins on, counted from 1; or the first thing that is wrong with the
 * text.
 */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  const documents = [...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })];
  const [error] = documents.flatMap(({ errors }) => errors);
  if (error !== undefined) return { ok: false, line: lines.linePos(error.pos[0]).line, problem: error.message };
  return {
    ok: true,
    documents: documents.map((document) => ({
      value: document.toJS() as unknown,
      line: lineOf(document.contents, lines),
    })),
  };
}

/**
 * The line of a field, by its path (`linuxConfig.interfaces[0].mtu`) in one of the documents of a YAML or JSON text; of
 * the closest thing around it where it is not there. Field names may be written in `snake_case` or `camelCase`.
 */
export function lineOfField(text: string, index: number, path: string): number {
  const lines = new LineCounter();
  const document = [...parseAllDocuments(text, { lineCounter: lines })][index];
  let found: unknown = document?.contents;
  let line = lineOf(found, lines);
  for (const segment of segmentsOf(path, isSeq(found))) {
    const next = below(found, segment);
    if (next === undefined) break;
    line = lineOf(next.at, lines);
    found = next.value;
  }
  return line;
}

/** A list of changes stands for a transaction with these changes: its paths begin with a field that is not there. */
function segmentsOf(path: string, listOfChanges: boolean): readonly string[] {
  const segments = path.match(/[^.[\]]+/g) ?? [];
  return listOfChanges && segments[0] === "changes" ? segments.slice(1) : segments;
}

/** `at`: where to point to, which for a field is its name. */
function below(node: unknown, segment: string): { readonly at: unknown; readonly value: unknown } | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(segment)];
    return item === undefined ? undefined : { at: item, value: item };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find(({ key }) => isScalar(key) && plainName(String(key.value)) === plainName(segment));
  return pair === undefined ? undefined : { at: pair.key, value: pair.value };
}

/** The same for both spellings of a name. */
function plainName(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

function lineOf(node: unknown, lines: LineCounter): number {
  const start = isNode(node) ? (node as Node).range?.[0] : undefined;
  return start === undefined ? 1 : lines.linePos(start).line;
}
