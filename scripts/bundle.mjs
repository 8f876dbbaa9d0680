// Puts the program into one file for dist/cli/bundle.ts, which says when it is used:
//
//   dist/bundle/<content>/tenuto.cjs    our modules and the packages that are plain JavaScript
//                        /tenuto.v8     what this version of V8 compiled of it when it checked a configuration
//                        /netlink.cjs   the netlink thread
//                        /*.positions   which line of which source each piece of the two was made of
//                        /LICENSES.txt  of the packages
//   dist/bundle/manifest.json           what the bundle was made of
//
// Native packages stay outside, and so do those that are loaded late or never.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { projectRoot } from "./steps.mjs";

const DIST = join(projectRoot, "dist");
const BUNDLES = join(DIST, "bundle");
const OUTSIDE = ["koffi", "classic-level/binding.js", "kafkajs", "dockerode"];
const THREAD = "netlink.cjs";

/** What a module says in a way that only a file of its own can, and how the bundle says it. */
const REPLACED = [
  // Then esbuild knows what is required, and keeps it for later all the same.
  [/^const require = createRequire\(import\.meta\.url\);$/m, ""],
  [/new URL\("\.\/worker\/main\.js", import\.meta\.url\)/, `new URL("./${THREAD}", bundleUrl)`],
];

/** Removes the bundle: before its modules change. */
export function removeBundle() {
  rmSync(BUNDLES, { recursive: true, force: true });
}

/** Makes the bundle of the modules in dist/. Without esbuild, a development dependency, there is none. */
export async function makeBundle() {
  const esbuild = await import("esbuild").catch(() => undefined);
  if (esbuild === undefined) {
    console.log("no bundle: esbuild is not installed; agents start from their modules");
    return;
  }
  const outputs = [
    await bundle(esbuild, "tenuto.cjs", 'export { main } from "./cli/main.js";'),
    await bundle(esbuild, THREAD, 'import "./plugins/netlink/worker/main.js";'),
  ];
  const content = createHash("sha256");
  for (const { code } of outputs) content.update(code);
  const directory = content.digest("hex").slice(0, 16);
  const folder = join(BUNDLES, directory);
  mkdirSync(folder, { recursive: true });
  for (const { name, code, positions } of outputs) {
    writeFileSync(join(folder, name), code);
    writeFileSync(join(folder, `${name}.positions`), JSON.stringify(positions));
  }
  const inputs = [...new Set(outputs.flatMap((output) => output.inputs))].sort();
  const packages = [...new Set(inputs.flatMap(packageOf))];
  writeFileSync(join(folder, "LICENSES.txt"), packages.map(license).join("\n"));
  compile(folder);
  writeManifest({ directory, packages: Object.fromEntries(packages.map((one) => [one, manifestOf(one).version])) });
}

async function bundle(esbuild, name, entry) {
  const prelude = `import { showSources } from "./cli/positions.js"; showSources(__filename, __filename + ".positions");`;
  const { outputFiles, metafile } = await esbuild.build({
    stdin: { contents: `${prelude}\n${entry}`, resolveDir: DIST, sourcefile: name },
    absWorkingDir: projectRoot,
    bundle: true,
    write: false,
    outfile: join(BUNDLES, name),
    format: "cjs",
    platform: "node",
    target: "node20",
    // Compiled code that was kept has lost how to import(): packages outside are required instead.
    supported: { "dynamic-import": false },
    external: OUTSIDE,
    // Names of classes and functions are in messages and stack traces. Blanks and comments would only take memory.
    keepNames: true,
    minifyWhitespace: true,
    lineLimit: 200,
    legalComments: "none",
    sourcemap: "external",
    metafile: true,
    logLevel: "error",
    plugins: [{ name: "tenuto", setup: loadModules }],
  });
  const [map, code] = ["cjs.map", "cjs"].map((end) => outputFiles.find(({ path }) => path.endsWith(end)).text);
  // It is read as Latin-1, of which V8 keeps one byte for each character.
  if (/[^\0-\x7f]/.test(code)) throw new Error(`${name} is not ASCII`);
  return { name, code, positions: positionTable(JSON.parse(map)), inputs: Object.keys(metafile.inputs).filter(isFile) };
}

function isFile(input) {
  return existsSync(join(projectRoot, input)) && statSync(join(projectRoot, input)).isFile();
}

function loadModules(build) {
  // Looks for what is compiled for this machine from its own place.
  build.onResolve({ filter: /^\.\/binding$/ }, ({ importer }) =>
    importer.includes("/classic-level/") ? { path: "classic-level/binding.js", external: true } : undefined,
  );
  // Messages of zod are in English: the other forty languages are a tenth of the bundle.
  build.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
    contents: 'export { default as en } from "./en.js";',
  }));
  // All is loaded already.
  build.onLoad({ filter: /\/dist\/cli\/preload\.js$/ }, () => ({ contents: "export function preload() {}" }));
  build.onLoad({ filter: /\/dist\/.*\.js$/ }, ({ path }) => ({
    contents: moduleText(path),
    resolveDir: dirname(path),
  }));
}

/** A module whose `import.meta.url` is that of its own file. */
function moduleText(path) {
  let text = readFileSync(path, "utf8");
  for (const [pattern, replacement] of REPLACED) text = text.replace(pattern, replacement);
  if (!/import\.meta\.url|\bbundleUrl\b/.test(text)) return text;
  const own = JSON.stringify(`../../${relative(DIST, path)}`);
  // On the first line, so that the others keep their numbers.
  const urls = `const bundleUrl = require("node:url").pathToFileURL(__filename), moduleUrl = new URL(${own}, bundleUrl).href;`;
  return urls + text.replaceAll("import.meta.url", "moduleUrl");
}

/** Of an input `node_modules/…/index.js`: the folder of its package. */
function packageOf(input) {
  const [folder] = /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(input) ?? [];
  return folder === undefined ? [] : [folder];
}

function manifestOf(folder) {
  return JSON.parse(readFileSync(join(projectRoot, folder, "package.json"), "utf8"));
}

function license(folder) {
  const { name, version, license } = manifestOf(folder);
  const files = readdirSync(join(projectRoot, folder)).filter((file) => /^licen[cs]e/i.test(file));
  const texts = files.map((file) => readFileSync(join(projectRoot, folder, file), "utf8").trim());
  return [`${name} ${version} (${license})`, ...texts, ""].join("\n\n");
}

/** V8 compiles what runs; so the program runs, as far as it goes without a kernel. */
function compile(folder) {
  const environment = Object.entries(process.env).filter(([name]) => !/^(TENUTO_|NODE_)/.test(name));
  const { status, stderr } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "--compile", folder], {
    cwd: folder,
    env: Object.fromEntries(environment),
    encoding: "utf8",
  });
  if (status !== 0) console.log(`the bundle is not compiled ahead: ${stderr.trim()}`);
}

async function compileHere(folder) {
  const { COMPILED, PROGRAM, compileProgram } = await import("../dist/cli/bundle.js");
  const { script, run } = compileProgram(join(folder, PROGRAM));
  await run().main(["agent", "--flavor", "full", "--label", "build", "--check"]);
  if (process.exitCode) return;
  writeFileSync(join(folder, COMPILED), script.createCachedData());
}

function writeManifest(manifest) {
  const file = join(BUNDLES, "manifest.json");
  writeFileSync(`${file}.new`, JSON.stringify(manifest));
  renameSync(`${file}.new`, file);
}

/** Of a source map: where the source or its line changes. */
function positionTable({ mappings, sources }) {
  const numbers = [];
  let [source, sourceLine] = [0, 0];
  for (const [line, segments] of mappings.split(";").entries()) {
    let column = 0;
    let last = "";
    for (const segment of segments.split(",")) {
      const [columns, sourceStep, lineStep] = decode(segment);
      column += columns ?? 0;
      if (lineStep === undefined) continue;
      source += sourceStep;
      sourceLine += lineStep;
      const now = `${source}:${sourceLine}`;
      if (now !== last) numbers.push(line, column, source, sourceLine);
      last = now;
    }
  }
  const pieces = Buffer.from(Uint32Array.from(numbers).buffer).toString("base64");
  return { sources: sources.map((path) => relative(projectRoot, join(BUNDLES, path))), pieces };
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Numbers of one segment: ECMA-426, Base64 VLQ. */
function decode(segment) {
  const numbers = [];
  let [value, shift] = [0, 0];
  for (const character of segment) {
    const digit = DIGITS.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}

const [option, folder] = process.argv.slice(2);
if (option === "--compile" && process.argv[1] === fileURLToPath(import.meta.url)) await compileHere(folder);
