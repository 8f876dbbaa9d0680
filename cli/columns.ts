const GAP = "  ";
/** The last column is not made narrower than this; what does not fit then stands on lines of its own. */
const NARROWEST = 24;
const INDENT = "    ";

/**
 * A table in plain text: a heading in capitals, a line per row, columns as wide as their widest cell. Where `width` is known, a last
 * cell that goes beyond it is wrapped between words; other cells are never cut, since one copies keys. Control characters in cells are
 * shown escaped, since cells may hold what others sent.
 */
export function columns(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  width: number | undefined = terminalWidth(),
): string {
  const lines = [heading.map((title) => title.toUpperCase()), ...rows.map((row) => row.map(printable))];
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + GAP.length, 0);
  return lines
    .map((line) => {
      const first = line.slice(0, -1).map((cell, column) => cell.padEnd(widths[column] ?? 0) + GAP);
      return withLast(first.join(""), line.at(-1) ?? "", before, width);
    })
    .join("");
}

function withLast(start: string, last: string, before: number, width: number | undefined): string {
  if (width === undefined || before + last.length <= width) return `${(start + last).trimEnd()}\n`;
  const isBeside = width - before >= NARROWEST;
  const indent = isBeside ? " ".repeat(before) : INDENT;
  const wrapped = wrap(last, width - indent.length).map((piece) => `${indent}${piece}\n`);
  if (!isBeside) return `${start.trimEnd()}\n${wrapped.join("")}`;
  return `${start}${wrapped.join("").slice(before)}`;
}

/** Breaks between words only: a word that is too long stays whole. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Of the terminal that standard output is, or what COLUMNS says; `undefined` where nobody looks: a file, a pipe. */
function terminalWidth(): number | undefined {
  const { COLUMNS = "" } = process.env;
  if (/^[1-9]\d{0,5}$/.test(COLUMNS)) return Number(COLUMNS);
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/** The text with every control character as `\xHH`, so that it cannot move the cursor or break a line. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
