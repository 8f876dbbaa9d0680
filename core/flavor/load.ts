import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { errorMessage, InvalidInputError } from "../errors.js";
import { type PluginClass, pluginDefinition } from "../plugin/index.js";

/**
 * Loads the plugins of a package (`@acme/tenuto-greeter`) or a path (`./greeter`, a file or a folder with package.json),
 * looked up from `directory` first and then from where Tenuto is installed. The module exports a class as `plugin`, or
 * several in order as `plugins`. Throws `InvalidInputError`: `PLUGIN_NOT_FOUND`, `PLUGIN_NOT_LOADABLE`, `PLUGIN_NOT_EXPORTED`.
 */
export async function loadPlugins(specifier: string, directory: string): Promise<readonly PluginClass[]> {
  const entry = findEntry(specifier, directory);
  const module: unknown = await import(pathToFileURL(entry).href).catch((error: unknown) => {
    throw new InvalidInputError("PLUGIN_NOT_LOADABLE", `plugin "${specifier}" (${entry}): ${errorMessage(error)}`, {
      cause: error,
    });
  });
  const exported = module as { readonly plugin?: unknown; readonly plugins?: unknown };
  const classes = Array.isArray(exported.plugins) ? exported.plugins : [exported.plugin];
  return classes.map((candidate: unknown) => {
    if (pluginDefinition(candidate) !== undefined) return candidate as PluginClass;
    throw new InvalidInputError("PLUGIN_NOT_EXPORTED", notExported(specifier, entry, exported, candidate));
  });
}

function notExported(specifier: string, entry: string, module: object, candidate: unknown): string {
  const subject = `plugin "${specifier}" (${entry})`;
  if (candidate === undefined) {
    const names = Object.keys(module).join(", ") || "nothing";
    return `${subject}: expected an export "plugin" (a class) or "plugins" (a list of classes); it exports ${names}`;
  }
  const name = typeof candidate === "function" ? candidate.name : typeof candidate;
  return (
    `${subject}: ${name} has no @plugin decorator of this tenuto. If it has one, the package uses another copy of tenuto: ` +
    "make tenuto a peer dependency of it and install tenuto once"
  );
}

function findEntry(specifier: string, directory: string): string {
  const entry =
    /^\.{0,2}\//.test(specifier) || isAbsolute(specifier)
      ? pathEntry(resolve(directory, specifier))
      : packageEntry(specifier, directory);
  if (entry !== undefined) return entry;
  throw new InvalidInputError(
    "PLUGIN_NOT_FOUND",
    `there is no plugin "${specifier}": looked from ${directory}. A path begins with "./"; a package has to be installed there (npm install ${specifier})`,
  );
}

/** The module at a path: the file, the file with `.js`, or the entry of the folder. */
function pathEntry(path: string): string | undefined {
  const file = [path, `${path}.js`, `${path}.mjs`].find((one) => existsSync(one) && statSync(one).isFile());
  return file ?? (existsSync(path) ? folderEntry(path) : undefined);
}

/** The entry of an installed package, seen from `directory`, else from Tenuto itself. */
function packageEntry(specifier: string, directory: string): string | undefined {
  for (const from of [join(directory, "package.json"), fileURLToPath(import.meta.url)]) {
    const require = createRequire(from);
    const folder = require.resolve
      .paths(specifier)
      ?.map((modules) => join(modules, specifier))
      .find((candidate) => existsSync(join(candidate, "package.json")));
    if (folder !== undefined) return folderEntry(folder);
  }
  return undefined;
}

/** What package.json names as the module for `import`, else index.js. */
function folderEntry(folder: string): string | undefined {
  const manifestFile = join(folder, "package.json");
  const manifest = existsSync(manifestFile) ? (JSON.parse(readFileSync(manifestFile, "utf8")) as Manifest) : {};
  const entry = join(folder, importTarget(manifest.exports) ?? manifest.main ?? "index.js");
  return existsSync(entry) ? entry : undefined;
}

interface Manifest {
  readonly exports?: unknown;
  readonly main?: string;
}

/** The target of `exports` for `import "package"`: conditions are tried in the order in which the package has them. */
function importTarget(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  if (typeof exports !== "object" || exports === null) return undefined;
  const conditions: Readonly<Record<string, unknown>> = { ...exports };
  if ("." in conditions) return importTarget(conditions["."]);
  for (const [condition, target] of Object.entries(conditions)) {
    const found = ["node", "import", "default"].includes(condition) ? importTarget(target) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
