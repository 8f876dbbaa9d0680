// npm run fuzz: a million inputs for everything that reads what others wrote. See test/fuzz/run.ts for its options.
import { buildIfNeeded, installIfNeeded, requireNode, run } from "./steps.mjs";

requireNode();
installIfNeeded();
buildIfNeeded();
run(process.execPath, "dist/test/fuzz/run.js", ...process.argv.slice(2));
