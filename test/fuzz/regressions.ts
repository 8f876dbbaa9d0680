/** Inputs that were faults once: what was wrong, the target, and the input. */
export const regressions: readonly (readonly [title: string, target: string, input: string])[] = [
  ["an alias without its anchor", "yaml", "changes:\n- key: b\n  value: *a\n"],
  ["an alias inside its own anchor", "yaml", "&a [*a, *a]"],
  ["aliases that multiply", "yaml", bomb()],
  ["collections in collections", "yaml", "[".repeat(4_000)],
  ["blocks in blocks", "yaml", "- ".repeat(4_000)],
  ["JSON that is nested deeply", "yaml", `${"[".repeat(4_000)}${"]".repeat(4_000)}`],
  ["keys that are keys of keys", "yaml", `a:\n  ${"? ".repeat(200)}b\n`],
  ["merges of what is no map", "yaml", "%YAML 1.1\n---\n<<: 1\n"],
];

/** Nine levels of nine: a billion texts, were they written out. */
function bomb(): string {
  const lines = ["a0: &a0 lol"];
  for (let level = 1; level < 10; level++) {
    lines.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(", ")}]`);
  }
  return `linuxConfig:\n  interfaces:\n    - {${lines.join(", ")}}\n${lines.join("\n")}\n`;
}
