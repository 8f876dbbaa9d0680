import { readFileSync } from "node:fs";

/** Beside a bundle: which line of which source each piece of it was made of. */
interface PositionTable {
  readonly sources: readonly string[];
  /** Base64 of 32-bit numbers, four to a piece, in order: line, column, index of the source, its line; all from 0. */
  readonly pieces: string;
}

type Positions = (line: number, column: number) => string | undefined;

/**
 * Stack traces name the sources that a bundle was made of, instead of lines in the bundle. The table is read with the first stack trace that
 * somebody looks at. Node's own source maps would be read at the start, all 6 MB of them.
 */
export function showSources(bundle: string, table: string): void {
  let positions: Positions | undefined;
  Error.prepareStackTrace = (error, frames) => {
    positions ??= readableNow(table);
    return [headline(error), ...frames.map((frame) => `    at ${inSource(frame, bundle, positions)}`)].join("\n");
  };
}

/** Nothing when it cannot be read now, because there is no file descriptor left for it, say: lines of the bundle do too then. */
function readableNow(table: string): Positions | undefined {
  try {
    return readPositions(table);
  } catch {
    return undefined;
  }
}

function inSource(frame: NodeJS.CallSite, bundle: string, positions: Positions | undefined): string {
  const text = String(frame);
  const [line, column] = [frame.getLineNumber(), frame.getColumnNumber()];
  if (frame.getFileName() !== bundle || line === null || column === null) return text;
  const source = positions?.(line, column);
  return source === undefined ? text : text.replace(`${bundle}:${line}:${column}`, source);
}

/** What stands before the frames; Node's own errors have their code there. */
function headline(error: Error & { readonly code?: unknown }): string {
  try {
    const { code } = error;
    if (typeof code === "string" && code.startsWith("ERR_")) return `${error.name} [${code}]: ${error.message}`;
    return Error.prototype.toString.call(error);
  } catch {
    return "an error that cannot be shown";
  }
}

function readPositions(table: string): Positions {
  const { sources, pieces } = JSON.parse(readFileSync(table, "utf8")) as PositionTable;
  const bytes = Buffer.from(pieces, "base64");
  const at = (index: number, field: number): number => bytes.readUInt32LE((index * 4 + field) * 4);
  const count = bytes.length / 16;
  return (line, column) => {
    // The last piece that begins at or before this place.
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >> 1;
      const isAfter = at(middle, 0) > line - 1 || (at(middle, 0) === line - 1 && at(middle, 1) > column - 1);
      if (isAfter) high = middle;
      else low = middle + 1;
    }
    const source = low === 0 ? undefined : sources[at(low - 1, 2)];
    return source === undefined ? undefined : `${source}:${at(low - 1, 3) + 1}`;
  };
}
