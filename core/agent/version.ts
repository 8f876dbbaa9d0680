import { createRequire } from "node:module";
import { z } from "zod";

const packageJson = z.object({ version: z.string() });

/** Version of the installed package. */
export const VERSION = packageJson.parse(createRequire(import.meta.url)("../../../package.json")).version;
