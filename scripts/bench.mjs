// npm run bench: installs, builds and fetches what is missing, then runs the benchmarks. Standard output is theirs alone.
import { spawnSync } from "node:child_process";
import { buildIfNeeded, installIfNeeded, projectRoot, requireNode } from "./steps.mjs";

// What is said on the way must not get between the figures.
console.log = console.error;
requireNode();
installIfNeeded();
buildIfNeeded();
execute(["inherit", 2, "inherit"], "dist/test/run.js", "--setup");
execute("inherit", "dist/bench/run.js", ...process.argv.slice(2));

function execute(stdio, ...parameters) {
  const { status, error } = spawnSync(process.execPath, parameters, { cwd: projectRoot, stdio });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
