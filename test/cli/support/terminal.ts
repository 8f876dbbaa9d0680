import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { localAgent } from "#test/http/local-agent.js";
import { type CommandResult, tenuto } from "#test/support/tenuto.js";

export interface Terminal {
  /** Runs `tenuto` against the agent. */
  readonly run: (command: string, input?: string) => Promise<CommandResult>;
  /** Runs `tenuto … -o json` and parses what it prints. */
  readonly json: <T>(command: string, input?: string) => Promise<T>;
  /** Writes a file and gives its path. */
  readonly file: (name: string, content: string) => Promise<string>;
  readonly agent: Awaited<ReturnType<typeof localAgent>>;
}

/** An agent in this process, and a terminal beside it. */
export async function terminal(t: ExecutionContext): Promise<Terminal> {
  const agent = await localAgent(t);
  const directory = await mkdtemp(join(tmpdir(), "tenuto-cli-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const run: Terminal["run"] = (command, input) =>
    tenuto(command.split(" "), { env: { TENUTO_SOCKET: agent.socket }, ...(input === undefined ? {} : { input }) });
  return {
    run,
    agent,
    json: async (command, input) => JSON.parse((await run(`${command} -o json`, input)).stdout),
    file: async (name, content) => {
      const path = join(directory, name);
      await writeFile(path, content);
      return path;
    },
  };
}
