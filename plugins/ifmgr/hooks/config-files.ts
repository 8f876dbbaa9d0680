import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InterfaceConfiguration } from "../configuration.js";

/** The configurations as files for hook programs. */
export interface ConfigFiles {
  readonly candidate: string;
  readonly running: string;
  discard(): Promise<void>;
}

/** Writes both configurations, each as a JSON list of `{key, value}`, where only the agent's user can read them. */
export async function writeConfigFiles(
  candidate: InterfaceConfiguration,
  running: InterfaceConfiguration,
): Promise<ConfigFiles> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-ifmgr-"));
  const write = async (name: string, configuration: InterfaceConfiguration): Promise<string> => {
    const path = join(directory, name);
    const list = [...configuration].map(([key, value]) => ({ key, value }));
    await writeFile(path, `${JSON.stringify(list, undefined, 2)}\n`, { mode: 0o600 });
    return path;
  };
  return {
    candidate: await write("candidate.json", candidate),
    running: await write("running.json", running),
    discard: () => rm(directory, { recursive: true, force: true }),
  };
}
