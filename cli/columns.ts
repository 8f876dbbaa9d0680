const GAP = "  ";

/**
 * A table in plain text: a heading in capitals, a line per row, columns as wide as their widest cell, the last one as
 * long as it is. Control characters in cells are shown escaped, since cells may hold what strangers sent.
 */
export function columns(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heading.map((title) => title.toUpperCase()), ...rows.map((row) => row.map(printable))];
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(GAP)
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** The text with every control character as `\xHH`, so that it cannot move the cursor or break a line. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
