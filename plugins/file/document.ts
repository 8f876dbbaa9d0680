import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  parseDocument,
} from "yaml";
import { parsedMembers, writtenMembers } from "./json-members.js";
import type { Problem, ReadResult } from "./reader.js";

/** One YAML document (JSON is YAML), as plain objects that remember where they came from. */
export interface ParsedDocument {
  readonly file: string;
  readonly content: unknown;
  /** The line of an object of `content`, or of a field of it: `ip_addresses[1]`. `undefined` for other objects. */
  lineOf(part: unknown, field?: string): number | undefined;
}

/** Parses a file; one that is empty, or has nothing but comments, has no documents. */
export function parseDocuments(file: string, text: string): ReadResult<readonly ParsedDocument[]> {
  const json = parsedJson(text);
  if (json !== undefined) return { ok: true, content: [jsonDocument(file, text, json)] };
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const documents: readonly Document.Parsed[] = Array.isArray(parsed) ? parsed : [];
  const problems = documents.flatMap(({ errors }) =>
    errors.map((error): Problem => {
      const { line } = lines.linePos(error.pos[0]);
      return { file, line, key: "", field: "", message: error.message, payload: text.split("\n")[line - 1] ?? "" };
    }),
  );
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    content: documents.map((document) => toParsed(file, document, lines)).filter(({ content }) => content !== null),
  };
}

/**
 * JSON is read by the engine's own parser, a hundred times as quick as one that knows where everything stands. `undefined` for what
 * is no JSON, and for what the YAML parser finds fault with: the same name twice in an object.
 */
function parsedJson(text: string): object | undefined {
  try {
    const content: unknown = JSON.parse(text);
    const isGood = typeof content === "object" && content !== null && parsedMembers(content) === writtenMembers(text);
    return isGood ? content : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Where its parts are is found out when somebody asks. */
function jsonDocument(file: string, text: string, content: object): ParsedDocument {
  let parsed: ParsedDocument | undefined;
  return {
    file,
    content,
    lineOf(part, field) {
      if (parsed === undefined) {
        const lines = new LineCounter();
        parsed = toParsed(file, parseDocument(text, { lineCounter: lines, prettyErrors: false }), lines, content);
      }
      return parsed.lineOf(part, field);
    },
  };
}

function toParsed(
  file: string,
  document: Document.Parsed,
  lines: LineCounter,
  content: unknown = document.toJS(),
): ParsedDocument {
  const origins = new WeakMap<object, Node>();
  remember(document, document.contents, content, origins);
  return {
    file,
    content,
    lineOf(part, field = "") {
      const origin = typeof part === "object" && part !== null ? origins.get(part) : undefined;
      const node = origin === undefined ? undefined : nodeAt(origin, field);
      return node?.range == null ? undefined : lines.linePos(node.range[0]).line;
    },
  };
}

/** Notes for every object and list the node that it was made from. */
function remember(document: Document.Parsed, node: unknown, value: unknown, origins: WeakMap<object, Node>): void {
  const resolved = isAlias(node) ? node.resolve(document) : node;
  if (!isCollection(resolved) || typeof value !== "object" || value === null || origins.has(value)) return;
  origins.set(value, resolved);
  const children = new Map<string, unknown>(Object.entries(value));
  if (isMap(resolved)) {
    for (const { key, value: child } of resolved.items) {
      const name = String(isScalar(key) ? key.value : key);
      remember(document, child, children.get(name), origins);
    }
  } else if (isSeq(resolved)) {
    for (const [index, child] of resolved.items.entries())
      remember(document, child, children.get(String(index)), origins);
  }
}

/** The node of a field path, or the nearest one above it that is there. */
function nodeAt(from: Node, field: string): Node {
  let node = from;
  for (const step of field.split(/[.[\]]+/).filter((part) => part !== "")) {
    const child: unknown = isCollection(node) ? node.get(isSeq(node) ? Number(step) : step, true) : undefined;
    if (!isScalar(child) && !isCollection(child)) return node;
    node = child;
  }
  return node;
}
