import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";
import { Child } from "#test/support/child.js";
import { projectRoot } from "#test/support/project.js";

/** Lays out a source file and returns what scripts/check-imports.mjs says about it. */
async function check(file: string, text: string): Promise<{ status: number | null; said: string }> {
  const root = await mkdtemp(join(tmpdir(), "tenuto-imports-"));
  try {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text);
    return await run(root);
  } finally {
    await rm(root, { recursive: true });
  }
}

async function run(root: string): Promise<{ status: number | null; said: string }> {
  const child = await Child.start([process.execPath, join(projectRoot, "scripts/check-imports.mjs"), root]);
  const { code } = await child.exited;
  return { status: code, said: child.log.trim() };
}

const refused: readonly (readonly [file: string, text: string, reason: RegExp])[] = [
  ["core/agent/a.ts", 'import { NatsPlugin } from "#plugins/nats/index.js";', /not for core/],
  ["core/agent/a.ts", 'export type { NatsPlugin } from "../../plugins/nats/index.js";', /relative path/],
  ["core/agent/a.ts", 'import {\n  token,\n} from "#core/plugin/token.js";', /same room/],
  ["plugins/nats/a.ts", 'import { store } from "#plugins/store/open.js";', /reaches into plugins\/store/],
  ["plugins/nats/a.ts", 'import { store } from "../store/open.js";', /reaches into plugins\/store/],
  ["plugins/linux/l3/a.ts", 'import { x } from "../interfaces/table.js";', /reaches into plugins\/linux\/interfaces/],
  ["plugins/http/a.ts", 'import koffi from "koffi";', /only plugins\/netlink/],
  ["client/a.ts", 'import { Agent } from "#core/index.js";', /not for client/],
  ["flavors/a.ts", 'import { x } from "#cli/tenuto.js";', /not for flavors/],
  ["cli/a.ts", 'import "#test/support/sandbox.js";', /not for cli/],
  ["core/scheduler/graph/a.ts", 'import { makePlan } from "../plan/planner.js";', /goes up/],
  ["core/scheduler/observe/a.ts", 'import type { Request } from "../request.js";', /goes up/],
];

for (const [file, text, reason] of refused) {
  test(`refused in ${file}: ${text.replaceAll("\n", " ")}`, async (t) => {
    const { status, said } = await check(file, text);
    t.is(status, 1);
    t.regex(said, reason);
    t.true(said.startsWith(`${file}:`), said);
  });
}

const accepted: readonly (readonly [file: string, text: string])[] = [
  ["plugins/nats/a.ts", 'import { token } from "#core/plugin/index.js";'],
  ["plugins/nats/a.ts", 'import { Store } from "#plugins/store/index.js";'],
  ["plugins/linux/l3/a.ts", 'import { TENUTO_PROTOCOL } from "../protocol.js";'],
  ["plugins/linux/index.ts", 'import { L3Plugin } from "./l3/index.js";'],
  ["plugins/netlink/a.ts", 'import koffi from "koffi";'],
  ["core/scheduler/plan/a.ts", 'import { Graph } from "../graph/graph.js";'],
  ["core/scheduler/a.ts", 'import { makePlan } from "./plan/planner.js";'],
  ["cli/a.ts", 'import { nats } from "#flavors/nats.js";\nimport { connect } from "#client/index.js";'],
  ["cli/a.ts", 'import { startThreadAhead } from "#plugins/netlink/ahead.js";'],
  ["client/a.ts", 'import { escape } from "#proto/escaping.js";\nimport { connect } from "nats";'],
  ["test/nats/a.ts", 'import { Backoff } from "#plugins/nats/backoff.js";'],
];

for (const [file, text] of accepted) {
  test(`accepted in ${file}: ${text.replaceAll("\n", " ")}`, async (t) => {
    t.deepEqual(await check(file, text), { status: 0, said: "" });
  });
}

test("the project keeps the rules", async (t) => {
  t.deepEqual(await run(projectRoot), { status: 0, said: "" });
});
