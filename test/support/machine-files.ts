/**
 * The test files of the machine, each with all its modules in one file: what an emulated processor takes longest for is looking for modules
 * and reading them (20 s for the linux plugins, and 4 s when they are one file).
 */
import { readFile, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { projectRoot } from "./project.js";

const DIST = join(projectRoot, "dist");
const FILES = join(DIST, "machine");
const TESTS = "dist/test/";

/** The netlink thread is a file of its own too, beside what starts it. */
const THREAD = join(DIST, "plugins/netlink/worker/main.js");
const STARTS_THREAD = join(DIST, "plugins/netlink/ahead.js");

/** Native, loaded late or never, or what runs the file. */
const OUTSIDE = ["ava", "koffi", "classic-level", "kafkajs", "dockerode"];

/** Where such a file, named relative to the project, is as one file. */
export function machineFile(file: string): string {
  return file.startsWith(TESTS) ? `dist/machine/test/${file.slice(TESTS.length)}` : file;
}

/** Makes them. `files` are relative to the project. */
export async function makeMachineFiles(files: readonly string[]): Promise<void> {
  await rm(FILES, { recursive: true, force: true });
  await build({
    entryPoints: [THREAD, ...files.map((file) => join(projectRoot, file))],
    outbase: DIST,
    outdir: FILES,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: OUTSIDE,
    keepNames: true,
    logLevel: "error",
    banner: {
      js: 'import { createRequire as requireHere } from "node:module"; const require = requireHere(import.meta.url);',
    },
    plugins: [whereItWas],
  });
}

/** A module finds what lies beside it where it was. */
const whereItWas: Plugin = {
  name: "where it was",
  setup(bundle) {
    bundle.onLoad({ filter: /\/dist\/.*\.js$/ }, async ({ path }) => {
      const place = path === STARTS_THREAD ? join(FILES, relative(DIST, path)) : path;
      const code = await readFile(path, "utf8");
      return { contents: code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(place).href)), loader: "js" };
    });
  },
};
