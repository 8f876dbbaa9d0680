import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's root directory. This file runs from dist/test/support/. */
export const projectRoot = fileURLToPath(new URL("../../../", import.meta.url));

/** Programs that were fetched for tests, benches and examples. Kept between runs, safe to delete. */
export const cacheDirectory = process.env.TENUTO_CACHE ?? join(projectRoot, ".tenuto", "cache");

/** The command-line program, as a command to start. */
export const tenutoProgram: readonly string[] = [process.execPath, join(projectRoot, "dist/cli/tenuto.js")];
