import type { Change } from "#client/index.js";
import type { NetlinkClient } from "#plugins/netlink/client.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import type { Run } from "./benchmark.js";
import { BusClient } from "./bus-client.js";
import { type MeasuredAgent, measuredAgent } from "./measured-agent.js";
import { startNetlink } from "./netlink-client.js";
import * as routes from "./routes.js";

/** An agent on NATS, whoever configures it, and a look at the kernel. */
export interface Scene {
  readonly server: Broker;
  readonly agent: MeasuredAgent;
  readonly client: BusClient;
  readonly netlink: NetlinkClient;
}

export const label = "bench";

/** Runs work on a scene of its own. */
export async function onNats<T>(run: Run, work: (scene: Scene) => Promise<T>): Promise<T> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const server = await startNats();
    undo.push(() => server.stop());
    const agent = await measuredAgent(run, { label, flavor: "nats", args: ["--nats", server.url] });
    undo.push(() => agent.stop());
    const client = await BusClient.connect(server.url, label);
    undo.push(() => client.close());
    const netlink = await startNetlink();
    undo.push(() => netlink.close());
    return await work({ server, agent, client, netlink });
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

/** Makes the pair that routes leave by. Returns the index of its near end. */
export async function makeUplink({ client, netlink }: Scene): Promise<number> {
  await client.commit(client.prepare(routes.uplinkChanges()));
  const link = await netlink.default.linkByName(routes.uplink.name);
  if (link === undefined) throw new Error(`the agent made no ${routes.uplink.name}`);
  return link.index;
}

/** Sends changes as one transaction. */
export async function commit({ client }: Scene, changes: readonly Change[]): Promise<void> {
  await client.commit(client.prepare(changes));
}
