import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { errorMessage } from "#core/errors.js";
import type { ParsedDocument } from "./document.js";

/** The parser is loaded with the first file: no agent waits for it at its start that has none. */
const require = createRequire(import.meta.url);

/** Something in the files that cannot be applied. */
export interface Problem {
  readonly file: string;
  /** From 1; `undefined` when it concerns the whole file. */
  readonly line: number | undefined;
  readonly key: string;
  readonly field: string;
  readonly message: string;
  /** The part of the file that it is about, as text. */
  readonly payload: string;
}

export type ReadResult<T> =
  | { readonly ok: true; readonly content: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const EXTENSIONS = /\.(ya?ml|json)$/i;

export function isConfigurationFile(name: string): boolean {
  return EXTENSIONS.test(name) && !name.startsWith(".");
}

/** The files of a directory that count, in name order: YAML and JSON, hidden ones left out; or the one file itself. */
export function configurationFiles(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter(isConfigurationFile)
    .sort()
    .map((name) => join(path, name));
}

/** Reads every document under a path. Never throws: what cannot be read or parsed is a problem. */
export function readDocuments(path: string): ReadResult<readonly ParsedDocument[]> {
  const documents: ParsedDocument[] = [];
  const problems: Problem[] = [];
  try {
    const { parseDocuments } = require("./document.js") as typeof import("./document.js");
    for (const file of configurationFiles(path)) {
      const parsed = parseDocuments(file, readFileSync(file, "utf8"));
      if (parsed.ok) documents.push(...parsed.content);
      else problems.push(...parsed.problems);
    }
  } catch (error) {
    problems.push({ file: path, line: undefined, key: "", field: "", message: errorMessage(error), payload: "" });
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, content: documents };
}
