// What every command needs first: dependencies that match the lock file, and compiled code that matches the sources.
// Plain Node, no dependencies: this runs before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Folders with TypeScript sources, and files that the build depends on. */
const SOURCES = ["core", "plugins", "flavors", "client", "cli", "proto", "test", "bench"];
const BUILD_FILES = [
  "tsconfig.json",
  "package.json",
  "scripts/build.mjs",
  "scripts/bundle.mjs",
  "scripts/generate-proto.mjs",
];
/** Its time is that of the last complete build. */
const STAMP = join(projectRoot, "dist", ".built");

const OLDEST_NODE = [20, 19];

/** Runs a program in the project's root. Exits with its status when it fails. */
export function run(command, ...parameters) {
  const { status, error } = spawnSync(command, parameters, { cwd: projectRoot, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Prints a line with the time since the command started. */
export function say(line) {
  console.log(`[${performance.now().toFixed(0).padStart(6)} ms] ${line}`);
}

export function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  console.error(`Tenuto needs Node.js ${OLDEST_NODE.join(".")} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/** Installs the dependencies when they are missing or older than the lock file. */
export function installIfNeeded() {
  const installed = modified(join(projectRoot, "node_modules", ".package-lock.json"));
  if (installed >= modified(join(projectRoot, "package-lock.json"))) return;
  say("installing dependencies: npm ci");
  run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error");
  utimesSync(join(projectRoot, "node_modules", ".package-lock.json"), new Date(), new Date());
}

/** Builds when a source is newer than the last build. */
export function buildIfNeeded() {
  const newest = Math.max(...[...SOURCES, ...BUILD_FILES].map((path) => newestIn(join(projectRoot, path))));
  if (modified(STAMP) > newest) return;
  say("building: npm run build");
  run(process.execPath, "scripts/build.mjs");
}

export function stampBuild(startedAt) {
  writeFileSync(STAMP, "");
  utimesSync(STAMP, startedAt, startedAt);
}

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

/** The newest time of a file or of everything in a folder; a folder's own time tells of deleted files. */
function newestIn(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const generated = path.endsWith(join("proto", "generated"));
  if (generated) return 0;
  // proto/'s own time changes when proto/generated/ is made.
  const own = path.endsWith("proto") ? 0 : stat.mtimeMs;
  return Math.max(own, ...readdirSync(path).map((name) => newestIn(join(path, name))));
}
