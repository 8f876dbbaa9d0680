/** Collections inside each other that the YAML parser, which calls itself for each, is let near. */
const MAX_LEVELS = 200;

/**
 * Throws `RangeError` for a text that may be nested deeply. The parser runs out of stack with some thousand levels, in places where
 * that ends the process. Counts too much rather than too little: brackets in texts count as well.
 */
export function refuseDeepYaml(text: string): void {
  let brackets = 0;
  let levels = 0;
  const open: { readonly indent: number; readonly levels: number }[] = [];
  for (const line of text.split("\n")) {
    const indent = line.search(/\S/);
    if (indent < 0) continue;
    for (let top = open.at(-1); top !== undefined && top.indent >= indent; top = open.at(-1)) {
      levels -= top.levels;
      open.pop();
    }
    const own = 1 + indicatorsIn(line);
    open.push({ indent, levels: own });
    levels += own;
    for (const character of line) {
      if (character === "[" || character === "{") brackets++;
      else if (character === "]" || character === "}") brackets = Math.max(0, brackets - 1);
      if (levels + brackets > MAX_LEVELS) throw new RangeError(`more than ${MAX_LEVELS} collections inside each other`);
    }
  }
}

/** `- - ? x`: each of them opens a collection. */
function indicatorsIn(line: string): number {
  let count = 0;
  for (let at = 0; at < line.length; at++) {
    const character = line[at];
    const isIndicator = character === "-" || character === "?" || character === ":";
    if (isIndicator && /\s/.test(line[at + 1] ?? " ")) count++;
  }
  return count;
}
