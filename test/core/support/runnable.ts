/** A program that is an agent, for tests that send it signals: `node runnable.js plain|slow-init|stuck-close|failing|buggy|ending`. */
import { once } from "node:events";
import { runAgent } from "#core/agent/index.js";
import type { Plugin } from "#core/plugin/index.js";
import { agentOf, recording } from "./agents.js";

const until = new AbortController();

const CASES: Readonly<Record<string, Plugin>> = {
  plain: {},
  ending: { afterInit: () => until.abort() },
  "slow-init": {
    init: async () => {
      await once(process, "SIGTERM");
    },
  },
  "stuck-close": { close: () => new Promise(() => undefined) },
  failing: {
    init: () => {
      throw new Error("no such device");
    },
  },
  buggy: {
    afterInit: () => {
      setImmediate(() => {
        throw new Error("a broken promise");
      });
    },
  },
};

const [name = "plain"] = process.argv.slice(2);
const say = { push: (line: string) => process.stdout.write(`${line}\n`) };
const agent = agentOf([recording("first", say), recording("it", say, CASES[name])], { logStream: process.stderr });
try {
  await runAgent(agent, { until: until.signal });
  say.push("ended");
} catch (error) {
  say.push(`rejected: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
