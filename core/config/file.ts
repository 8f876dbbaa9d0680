import { readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { z } from "zod";
import { errorMessage, InvalidInputError } from "../errors.js";
import { patiently, readRegularFile } from "../files/index.js";
import { type FlavorSelection, flavorSelection } from "../flavor/selection.js";
import { problemText } from "./configuration.js";
import { issueProblems } from "./problems.js";

/** A configuration file as it was written; sections are not validated yet, as they depend on the flavor. */
export interface ConfigurationFile {
  /** Absolute. */
  readonly path: string;
  /** Absolute; plugins named in the file are looked up from here. */
  readonly directory: string;
  readonly label: string | undefined;
  readonly flavor: FlavorSelection | undefined;
  readonly content: Readonly<Record<string, unknown>>;
}

const topLevel = z.looseObject({ label: z.string().min(1).optional(), flavor: flavorSelection.optional() });

/**
 * Reads a YAML or JSON configuration file. Throws `InvalidInputError`: `CONFIG_UNREADABLE`, `CONFIG_SYNTAX` with line and
 * column, `CONFIG_INVALID` for a bad `label` or `flavor`.
 */
export async function readConfigurationFile(path: string): Promise<ConfigurationFile> {
  const absolute = resolve(path);
  const text = await readText(absolute).catch((error: unknown) => {
    const reason = errorMessage(error).replace(`${absolute}: `, "");
    throw new InvalidInputError("CONFIG_UNREADABLE", `cannot read configuration file ${path}: ${reason}`, {
      cause: error,
    });
  });
  const content = (await parse(text, path)) ?? {};
  const result = topLevel.safeParse(content, { reportInput: true });
  if (!result.success) {
    const problems = result.error.issues.flatMap((issue) => issueProblems([], topLevel, issue));
    const lines = problems.map((problem) => problemText({ ...problem, path: problem.path || "content", origin: path }));
    throw new InvalidInputError("CONFIG_INVALID", lines.join("\n"), { field: problems[0]?.path });
  }
  const { label, flavor } = result.data;
  return { path: absolute, directory: dirname(absolute), label, flavor, content: result.data };
}

/** What the shell has opened for the agent (`--config /dev/stdin`, `--config <(…)`), and the file that is always empty. */
const OPEN_ALREADY = /^\/dev\/(null|stdin|fd\/\d+)$/;
const MOST_BYTES = 64 * 1024 * 1024;

/** A FIFO or a device elsewhere is refused: nobody may ever write to it. */
async function readText(path: string): Promise<string> {
  if (OPEN_ALREADY.test(path)) return await readFile(path, "utf8");
  const { content } = await patiently(path, () => readRegularFile(path, MOST_BYTES));
  return content.toString("utf8");
}

async function parse(text: string, path: string): Promise<unknown> {
  try {
    if (extname(path) === ".json") return JSON.parse(text);
    // Loaded only when it is needed: it costs as much start time as the container.
    const yaml = await import("yaml");
    return yaml.parse(text);
  } catch (error) {
    throw new InvalidInputError("CONFIG_SYNTAX", `${path}: ${errorMessage(error).trim()}`, { cause: error });
  }
}
