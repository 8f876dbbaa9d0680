// Checks that imports run one way: cli, flavors → plugins → core; client → proto; nobody imports tests.
//
//   node scripts/check-imports.mjs [ROOT]    prints each import that breaks a rule; status 1 when there is one
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { projectRoot } from "./steps.mjs";

/** Top-level folders, and which of the others each may import. */
const MAY_IMPORT = {
  proto: [],
  client: ["proto"],
  core: ["proto"],
  plugins: ["core", "proto"],
  flavors: ["plugins", "core"],
  cli: ["flavors", "plugins", "core", "client", "proto"],
  test: ["cli", "flavors", "plugins", "core", "client", "proto", "bench"],
  bench: ["cli", "flavors", "plugins", "core", "client", "proto", "test"],
};

/** Packages that only some folders may use; tests and benchmarks may use any, but for koffi. */
const PACKAGES = {
  koffi: ["plugins/netlink/", "test/support/enter-sandbox.cts"],
  nats: ["plugins/nats/", "client/", "test/", "bench/"],
  kafkajs: ["plugins/kafka/", "client/", "test/", "bench/"],
  "classic-level": ["plugins/store/", "test/", "bench/"],
  tsyringe: ["core/", "test/", "bench/"],
};

/** Rooms of the scheduler, each of which may import those before it; what lies on top of them may import all. */
const SCHEDULER_ROOMS = ["api", "graph", "plan", "execute", "retrieve", "observe"];

function schedulerRoom(path) {
  const [, room] = /^core\/scheduler\/(\w+)\//.exec(path) ?? [];
  return room === undefined ? SCHEDULER_ROOMS.length : SCHEDULER_ROOMS.indexOf(room);
}

function isUpwards(file, target) {
  const both = file.startsWith("core/scheduler/") && target.startsWith("core/scheduler/");
  return both && schedulerRoom(target) > schedulerRoom(file);
}

const IMPORTS = [
  /^\s*(?:import|export)\b[^"';]*?\bfrom\s+"([^"]+)"/gm,
  /^\s*import\s+"([^"]+)"/gm,
  /\b(?:import|require)\("([^"]+)"\)/g,
];

function sources(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** `core`, `cli` …, but a plugin's own folder: `plugins/nats`, and `plugins/linux/interfaces` for one inside a bundle. */
function roomOf(file) {
  const parts = file.split("/");
  if (parts[0] !== "plugins") return parts[0];
  return parts.slice(0, parts[1] === "linux" && parts.length > 3 ? 3 : 2).join("/");
}

/** What is wrong with one import, or nothing. `file` and the result's paths are relative to the root. */
function problem(file, imported) {
  const own = roomOf(file);
  if (!imported.startsWith(".") && !imported.startsWith("#")) return packageProblem(file, imported);

  const target = imported.startsWith("#") ? imported.slice(1) : normalize(join(dirname(file), imported));
  const room = roomOf(target);
  const [ownTop] = file.split("/");
  const [top] = target.split("/");
  const looksAnywhere = ownTop === "test" || ownTop === "bench";
  if (room === own && !looksAnywhere && imported.startsWith("#")) return "is in the same room: import it as ./…";
  if (isUpwards(file, target))
    return `goes up: rooms of the scheduler import those before them, ${SCHEDULER_ROOMS.join(", ")}`;
  // What a bundle's plugins share lies beside their folders.
  if (room === own || own.startsWith(`${room}/`)) return undefined;
  if (top !== ownTop) {
    if (!imported.startsWith("#")) return `leaves the room by a relative path: import it as #${target}`;
    if (!MAY_IMPORT[ownTop].includes(top))
      return `is not for ${ownTop}, which may import ${MAY_IMPORT[ownTop].join(", ")}`;
  }
  if (top !== "plugins" || looksAnywhere || /\/(index|ahead)\.js$/.test(target)) return undefined;
  return `reaches into ${room}: a plugin's public face is its index.js, and ahead.js for what begins before the rest of it is loaded`;
}

function packageProblem(file, imported) {
  const allowed = PACKAGES[imported];
  if (allowed === undefined || allowed.some((prefix) => file.startsWith(prefix))) return undefined;
  return `only ${allowed.join(", ")} may use ${imported}`;
}

function violations(root) {
  const found = [];
  const folders = Object.keys(MAY_IMPORT).filter((name) => readdirSync(root).includes(name));
  for (const path of folders.flatMap((name) => sources(join(root, name)))) {
    const file = relative(root, path);
    const text = readFileSync(path, "utf8");
    for (const pattern of IMPORTS) {
      for (const match of text.matchAll(pattern)) {
        const wrong = problem(file, match[1]);
        const line = text.slice(0, match.index + match[0].length).split("\n").length;
        if (wrong !== undefined) found.push(`${file}:${line}: "${match[1]}" ${wrong}`);
      }
    }
  }
  return found.sort();
}

const found = violations(process.argv[2] ?? projectRoot);
for (const line of found) console.error(line);
process.exitCode = found.length === 0 ? 0 : 1;
