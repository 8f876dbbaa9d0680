/** The short form of a network's story, for an agent in the test's own process: made, looked at, and used. */
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { readTransaction } from "#cli/documents.js";
import { projectRoot } from "#test/support/project.js";
import { type Desired, type NetworkAgent, operations, states } from "../../linux/support/network.js";
import { agrees } from "../../linux/support/witness.js";
import type { Network } from "./network.js";
import { reaches } from "./packets.js";
import { routesAreSeen } from "./routes.js";

export async function tellShortly(t: ExecutionContext, agent: NetworkAgent, { name, paths }: Network): Promise<void> {
  const { changes } = await readTransaction([join(projectRoot, `examples/networks/${name}.yaml`)]);
  const desired = changes.flatMap((change): Desired[] => (change.delete === true ? [] : [[change.key, change.value]]));
  const record = await agent.commit(...desired);
  t.is(record.error, "", JSON.stringify(states(record)));
  for (const one of paths) await reaches(one);
  await agrees(t, agent);
  await routesAreSeen(t, changes, "");
  t.deepEqual(operations(await agent.resync(...desired)), [], "a resync has nothing to do");
}
