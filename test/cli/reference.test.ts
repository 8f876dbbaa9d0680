import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "ava";
import { projectRoot } from "#test/support/project.js";

test("docs/cli.md is what the commands say of themselves", (t) => {
  const script = join(projectRoot, "scripts/generate-cli-docs.mjs");
  const { status, stderr } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
  t.is(status, 0, stderr);
});
