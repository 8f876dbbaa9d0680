// Checks package-lock.json without asking anybody: what is installed is what was looked at.
//
//   node scripts/audit-lock.mjs [LOCKFILE]    a line for every finding, status 1 when there is one
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { projectRoot } from "./steps.mjs";

/** Licences that let us pass the package on, in SPDX. */
const LICENCES = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Unlicense",
]);

/** Packages that name their licence in the old list `licenses`, which the lock file does not repeat. */
const UNNAMED = new Map([
  ["buildcheck", "MIT"],
  ["cpu-features", "MIT"],
  ["ssh2", "MIT"],
]);

/** The only algorithm that new locks have. */
const INTEGRITY = /^sha512-[A-Za-z0-9+/]{86}==$/;

/** Findings, a sentence each. `allowScripts`: of package.json, what npm is told of install scripts. */
export function auditLock(lock, allowScripts) {
  const findings = [];
  if (lock.lockfileVersion !== 3) findings.push(`lockfileVersion is ${lock.lockfileVersion}, expected 3`);
  for (const [path, entry] of Object.entries(lock.packages ?? {})) {
    if (path === "") continue;
    for (const problem of problemsOf(path, entry, allowScripts)) findings.push(`${path}: ${problem}`);
  }
  return findings;
}

function* problemsOf(path, entry, allowScripts) {
  const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
  if (!path.startsWith("node_modules/")) yield "is not below node_modules";
  if (entry.link === true) yield "is a link to another folder";
  if (entry.resolved !== undefined)
    yield `comes from ${entry.resolved}; the registry of whoever installs should serve it`;
  if (!INTEGRITY.test(entry.integrity ?? "")) yield "has no SHA-512 digest (integrity)";
  if (!/^\d+\.\d+\.\d+/.test(entry.version ?? "")) yield `has the version ${entry.version}, which is no release`;
  for (const [dependency, range] of Object.entries({ ...entry.dependencies, ...entry.optionalDependencies })) {
    if (/^(git|github:|https?:|file:|ssh:)|^[\w.-]+\/[\w.-]+(#|$)/.test(range)) {
      yield `wants ${dependency} from ${range}, which is not the registry`;
    }
  }
  if (entry.hasInstallScript === true && !Object.hasOwn(allowScripts, name)) {
    yield `has an install script, and allowScripts of package.json does not say whether it may run`;
  }
  const licence = entry.license ?? UNNAMED.get(name);
  if (licence === undefined) yield "names no licence";
  else if (!isAllowed(licence)) yield `has the licence ${licence}, which is not on the list`;
}

/** SPDX expressions as far as packages have them: with OR one of them is enough, with AND all count. */
function isAllowed(expression) {
  return expression
    .replaceAll(/[()]/g, "")
    .split(" OR ")
    .some((choice) => choice.split(" AND ").every((licence) => LICENCES.has(licence.trim())));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const read = (path) => JSON.parse(readFileSync(path, "utf8"));
  const lock = read(process.argv[2] ?? join(projectRoot, "package-lock.json"));
  const findings = auditLock(lock, read(join(projectRoot, "package.json")).allowScripts ?? {});
  for (const finding of findings) console.error(`lock file: ${finding}`);
  process.exit(findings.length === 0 ? 0 : 1);
}
