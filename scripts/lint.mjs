// npm run lint: format and style (Biome), rules that need types (oxlint with TypeScript's own checker), import directions.
import { spawnSync } from "node:child_process";
import { buildIfNeeded, installIfNeeded, projectRoot, requireNode } from "./steps.mjs";

const CHECKS = [
  ["Biome", "node_modules/.bin/biome", "check", "--error-on-warnings"],
  ["oxlint", "node_modules/.bin/oxlint", "--type-aware", "--deny-warnings"],
  ["import directions", process.execPath, "scripts/check-imports.mjs"],
  ["retired words", process.execPath, "scripts/check-words.mjs"],
  ["documented messages", process.execPath, "scripts/generate-message-docs.mjs", "--check"],
  ["lock file", process.execPath, "scripts/audit-lock.mjs"],
];

requireNode();
installIfNeeded();
// Types of imports between rooms come from dist/.
buildIfNeeded();
const failed = CHECKS.filter(([name, ...command]) => {
  console.log(`lint: ${name}`);
  const [program, ...parameters] = command;
  const { status, error } = spawnSync(program, parameters, { cwd: projectRoot, stdio: "inherit" });
  if (error) throw error;
  return status !== 0;
});
for (const [name] of failed) console.error(`lint: ${name} found something`);
process.exit(failed.length === 0 ? 0 : 1);
