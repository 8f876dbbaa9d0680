// Generates the code of the proto files, compiles everything to dist/, and bundles the program.
//
//   npm run build                      build
//   node scripts/build.mjs --prepare   npm's `prepare` step: build, unless the compiler was left out (npm ci --omit=dev)
import { chmodSync, existsSync, readdirSync, rmdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { makeBundle, removeBundle } from "./bundle.mjs";
import { projectRoot, run, stampBuild } from "./steps.mjs";

const COMPILER = "node_modules/typescript/bin/tsc";
const PROGRAMS = { tenuto: "dist/cli/tenuto.js", ifmgrctl: "dist/cli/ifmgrctl.js" };

const startedAt = new Date();
process.chdir(projectRoot);
if (process.argv.includes("--prepare") && !existsSync(COMPILER)) {
  console.log("not building: the compiler is a development dependency and is not installed");
  process.exit(0);
}

removeBundle();
run(process.execPath, "scripts/generate-proto.mjs");
run(process.execPath, COMPILER, "-p", ".");
removeOrphans("dist", ".");
await makeBundle();
linkPrograms();
stampBuild(startedAt);

/** `npx tenuto` in this folder: npm links the programs of dependencies only, and would install the project a second time. */
function linkPrograms() {
  for (const [name, file] of Object.entries(PROGRAMS)) {
    const link = join("node_modules/.bin", name);
    rmSync(link, { force: true });
    chmodSync(file, 0o755);
    symlinkSync(join("../..", file), link);
  }
}

/** Deletes compiled files whose source is gone, lest a deleted test goes on being run. */
function removeOrphans(compiled, source) {
  for (const entry of readdirSync(compiled, { withFileTypes: true })) {
    const file = join(compiled, entry.name);
    if (entry.isDirectory()) {
      removeOrphans(file, join(source, entry.name));
      if (readdirSync(file).length === 0) rmdirSync(file);
    } else if (isOrphan(entry.name, source)) {
      rmSync(file);
    }
  }
}

function isOrphan(name, source) {
  const match = /^(.*?)(\.d)?\.(c|m)?(js|ts)(\.map)?$/.exec(name);
  if (match === null) return false;
  const [, stem, , kind = ""] = match;
  return ![`${stem}.${kind}ts`, `${stem}.${kind}js`].some((candidate) => existsSync(join(source, candidate)));
}
