import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

/** What the bundle exports, as `main.js` does. */
export interface Program {
  main(words: readonly string[]): Promise<void>;
}

/** `dist/bundle/manifest.json`, as `scripts/bundle.mjs` writes it: the last thing that it writes. */
interface Manifest {
  /** Of the bundle in `dist/bundle`; another for each content. */
  readonly directory: string;
  /** Packages in it, below the project, and their versions. */
  readonly packages: Readonly<Record<string, string>>;
}

export const PROGRAM = "tenuto.cjs";
export const COMPILED = "tenuto.v8";

/** Modules and bundle that are copied together have times that differ by less, ms, in whatever order. */
const COPYING = 10_000;

/**
 * Directory of the bundle, which is the program in one file with V8's compiled code of it: to read and link 600 modules would be half
 * of an agent's start. `undefined` when the program has to come from its modules:
 *
 * - for another command than `agent`: each needs few of them;
 * - without a bundle, or with one that is older than its modules or packages;
 * - when a plugin from outside may be loaded, which must find the very tokens and classes that the agent uses;
 * - while coverage is measured, which is by module, and with `TENUTO_BUNDLE=0`.
 */
export function bundleFor(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  dist = fileURLToPath(new URL("..", import.meta.url)),
): string | undefined {
  if (!words.includes("agent") || environment.TENUTO_BUNDLE === "0" || environment.NODE_V8_COVERAGE) return undefined;
  return configurationFiles(words, environment).every(namesNoPlugins) ? freshBundle(dist) : undefined;
}

export function loadBundle(directory: string): Program {
  const file = join(directory, PROGRAM);
  const compiled = join(directory, COMPILED);
  if (existsSync(compiled)) {
    const program = compileProgram(file, readFileSync(compiled));
    if (program.script.cachedDataRejected !== true) return program.run();
  }
  // Compiled by another V8, or never: Node 22.1 and newer keep what they compile of what comes this way.
  return createRequire(import.meta.url)(file) as Program;
}

/** A file of CommonJS, and V8's compiled code of it from another time. */
export function compileProgram(
  file: string,
  compiled?: Buffer,
): { readonly script: Script; readonly run: () => Program } {
  // The file is ASCII, as the build has made sure.
  const text = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, "latin1")}\n})`;
  const script = new Script(text, { filename: file, cachedData: compiled });
  const run = (): Program => {
    const module = { exports: {} };
    const wrapper = script.runInThisContext() as (...parameters: readonly unknown[]) => void;
    wrapper(module.exports, createRequire(file), module, file, dirname(file));
    return module.exports as Program;
  };
  return { script, run };
}

/** Files that may name plugins: `--config FILE`, `--config=FILE` and `TENUTO_CONFIG`, wherever they stand. */
function configurationFiles(
  words: readonly string[],
  { TENUTO_CONFIG }: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const files = words.flatMap((word, index) => {
    if (word.startsWith("--config=")) return [word.slice("--config=".length)];
    return words[index - 1] === "--config" ? [word] : [];
  });
  return TENUTO_CONFIG ? [...files, TENUTO_CONFIG] : files;
}

/** Sure to name no plugins: the field's name is not there, neither plainly nor in escapes. */
function namesNoPlugins(file: string): boolean {
  // What is no file, such as a pipe, can be read only once.
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return false;
  const text = contentOf(file);
  return text !== undefined && !/plugins|\\/.test(text);
}

/** The bundle, unless modules were compiled or packages installed after it was made. */
function freshBundle(dist: string): string | undefined {
  const text = contentOf(join(dist, "bundle/manifest.json"));
  if (text === undefined) return undefined;
  const { directory, packages } = JSON.parse(text) as Manifest;
  const bundle = join(dist, "bundle", directory);
  const made = statSync(join(bundle, PROGRAM), { throwIfNoEntry: false });
  // The compiler writes every module anew, so that one tells of all.
  if (made === undefined || statSync(join(dist, "cli/main.js")).mtimeMs > made.mtimeMs + COPYING) return undefined;
  const asInstalled = Object.entries(packages).every(
    ([folder, version]) => installedVersion(dirname(dist), folder) === version,
  );
  return asInstalled ? bundle : undefined;
}

/** Of the package that an `import` would find: below this one, or beside it where npm put both into another's `node_modules`. */
function installedVersion(root: string, folder: string): string | undefined {
  const text = contentOf(join(root, folder, "package.json")) ?? contentOf(join(root, "../..", folder, "package.json"));
  return text === undefined ? undefined : (JSON.parse(text) as { readonly version?: string }).version;
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
