import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { ExecutionContext } from "ava";
import { projectRoot } from "./project.js";

const NOT_OURS = new Set(["node_modules", "package-lock.json", "events.jsonl"]);

/** A copy of examples/custom-flavor, with what `npm install` makes of its package.json's dependencies. Goes with the test. */
export async function examplePlugin(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-example-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const source = join(projectRoot, "examples/custom-flavor");
  // What somebody has installed or left there is not part of the example.
  const own = (path: string): boolean => !NOT_OURS.has(basename(path));
  await cp(source, directory, { recursive: true, filter: own });
  const modules = join(directory, "node_modules");
  await mkdir(join(modules, "@example"), { recursive: true });
  await symlink(projectRoot, join(modules, "tenuto"));
  await symlink(join(projectRoot, "node_modules/zod"), join(modules, "zod"));
  await symlink(join(directory, "event-log"), join(modules, "@example/event-log"));
  return directory;
}
