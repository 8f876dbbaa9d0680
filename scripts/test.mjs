// npm test: installs and builds what is missing, then hands over to test/run.ts, which fetches brokers and runs ava.
import { spawnSync } from "node:child_process";
import { buildIfNeeded, installIfNeeded, projectRoot, requireNode } from "./steps.mjs";

requireNode();
installIfNeeded();
buildIfNeeded();
const { status, error } = spawnSync(process.execPath, ["dist/test/run.js", ...process.argv.slice(2)], {
  cwd: projectRoot,
  stdio: "inherit",
});
if (error) throw error;
process.exit(status ?? 1);
