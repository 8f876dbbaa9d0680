import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  parseDocument,
} from "yaml";
import { errorMessage } from "#core/errors.js";
import { excessOf } from "#core/model/index.js";
import { parsedMembers, writtenMembers } from "./json-members.js";
import type { Problem, ReadResult } from "./reader.js";
import { refuseDeepYaml } from "./yaml-depth.js";

/** One YAML document (JSON is YAML), as plain objects that remember where they came from. */
export interface ParsedDocument {
  readonly file: string;
  readonly content: unknown;
  /** The line of an object of `content`, or of a field of it: `ip_addresses[1]`. `undefined` for other objects. */
  lineOf(part: unknown, field?: string): number | undefined;
}

/** Parses a file; one that is empty, or has nothing but comments, has no documents. */
export function parseDocuments(file: string, text: string): ReadResult<readonly ParsedDocument[]> {
  try {
    return parsedDocuments(file, text);
  } catch (error) {
    // An alias of nothing, aliases that multiply without end, collections inside each other until the stack is full.
    const message = error instanceof RangeError ? `nested too deeply: ${error.message}` : errorMessage(error);
    return { ok: false, problems: [{ file, line: undefined, key: "", field: "", message, payload: "" }] };
  }
}

function parsedDocuments(file: string, text: string): ReadResult<readonly ParsedDocument[]> {
  const json = parsedJson(text);
  if (json !== undefined) return { ok: true, content: [jsonDocument(file, text, json)] };
  refuseDeepYaml(text);
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
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
    content: documents
      .map((document) => toParsed(file, checked(document), lines))
      .filter(({ content }) => content !== null),
  };
}

/** Collections inside each other, aliases followed, and nodes of a document in all. */
const MAX_DEPTH = 64;
const MAX_NODES = 5_000_000;

/**
 * The same document. Throws `RangeError` for one that would become too much, which with aliases takes few bytes, or has no end; and
 * for a key that is a collection: no message has one, and the parser takes time without end to write down those inside each other.
 */
function checked(document: Document.Parsed): Document.Parsed {
  let nodes = 0;
  // Resolving one takes a walk through the document.
  const targets = new Map<Alias, unknown>();
  const target = (alias: Alias): unknown => {
    if (!targets.has(alias)) targets.set(alias, alias.resolve(document));
    return targets.get(alias);
  };
  const look = (node: unknown, depth: number): void => {
    if (depth > MAX_DEPTH) throw new RangeError(`more than ${MAX_DEPTH} collections inside each other`);
    if (++nodes > MAX_NODES) throw new RangeError(`more than ${MAX_NODES} values, aliases followed`);
    if (isAlias(node)) look(target(node), depth + 1);
    if (!isCollection(node)) return;
    for (const item of node.items) {
      if (!isPair(item)) look(item, depth + 1);
      else if (isCollection(item.key)) throw new RangeError("a key is a list or a map");
      else look(item.value, depth + 1);
    }
  };
  look(document.contents, 0);
  return document;
}

/**
 * JSON is read by the engine's own parser, a hundred times as quick as one that knows where everything stands. `undefined` for what
 * is no JSON, and for what the YAML parser finds fault with: the same name twice in an object.
 */
function parsedJson(text: string): object | undefined {
  try {
    const content: unknown = JSON.parse(text);
    const excess = excessOf(Buffer.from(text));
    if (excess !== undefined) throw new RangeError(excess);
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
        parsed = toParsed(
          file,
          parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" }),
          lines,
          content,
        );
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
