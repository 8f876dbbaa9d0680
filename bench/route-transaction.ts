import { setTimeout as pause } from "node:timers/promises";
import { BareNetlink } from "./bare-netlink.js";
import { type Benchmark, median, type Outcome, type Run, sized, time } from "./benchmark.js";
import * as routes from "./routes.js";
import { makeUplink, onNats, type Scene } from "./scene.js";

const batchFile = "/run/routes.batch";
const settlingTime = 5_000;

export const routeTransaction: Benchmark = {
  name: "route-transaction",
  method:
    "100,000 IPv4 routes through a gateway as one transaction of some 20 MB JSON in parts of 1 MB over NATS to an agent " +
    "of the flavor nats (store, results, history and events on), from the first byte sent to the answer received; the " +
    "transaction that deletes them again likewise. Compared with `ip -batch` adding the same routes from a file in memory, " +
    "and with the floor: the same kernel messages encoded and sent from Node, 128 to a system call, with no agent. In turns, " +
    "the first turn is told apart. Memory of the agent: before, with the routes in place and 5 s of rest, and at its peak.",
  repeats: 5,

  run: (run) => onNats(run, (scene) => measure(run, scene)),
};

async function measure(run: Run, scene: Scene): Promise<Outcome> {
  const { agent, client, netlink } = scene;
  const networks = routes.destinations(sized(run, 100_000));
  const index = await makeUplink(scene);
  const kernelRoutes = networks.map((network) => routes.kernelRoute(network, index));
  await routes.writeRouteBatch(batchFile, networks);
  const bare = new BareNetlink();
  await pause(sized(run, settlingTime));
  const figures = { idle: agent.residentMiB(), held: 0, added: [], deleted: [], floor: [], iproute2: [] } as Figures;
  for (let turn = 0; turn <= run.repeats; turn++) {
    const adding = client.prepare(networks.map((network) => routes.routeChange(network)));
    figures.added.push(await time(() => client.commit(adding)));
    await routes.expectRoutes(netlink.default, networks.length);
    if (turn === run.repeats) await pause(sized(run, settlingTime));
    figures.held = agent.residentMiB();
    const deleting = client.prepare(networks.map(routes.routeRemoval));
    figures.deleted.push(await time(() => client.commit(deleting)));
    await routes.expectRoutes(netlink.default, 0);

    figures.floor.push(await time(async () => bare.addRoutes(kernelRoutes)));
    await routes.expectRoutes(netlink.default, networks.length);
    await routes.flushRoutes();
    figures.iproute2.push(await time(() => routes.ipBatch(batchFile)));
    await routes.expectRoutes(netlink.default, networks.length);
    await routes.flushRoutes();
  }
  bare.close();
  return outcome(figures, agent.peakMiB());
}

/** Milliseconds of each turn, and memory in MiB. */
interface Figures {
  readonly added: number[];
  readonly deleted: number[];
  readonly floor: number[];
  readonly iproute2: number[];
  readonly idle: number;
  held: number;
}

function outcome({ added, deleted, floor, iproute2, idle, held }: Figures, peak: number): Outcome {
  const [first = Number.NaN, ...later] = added;
  const ours = median(later);
  return {
    measurements: [
      { name: "agent, first time", unit: "ms", values: [first] },
      { name: "agent", unit: "ms", values: later },
      { name: "agent, deletion", unit: "ms", values: deleted.slice(1) },
      { name: "ip -batch", unit: "ms", values: iproute2.slice(1) },
      { name: "floor", unit: "ms", values: floor.slice(1) },
      { name: "memory of the agent before", unit: "MiB", values: [idle] },
      { name: "memory with all routes", unit: "MiB", values: [held] },
      { name: "peak memory", unit: "MiB", values: [peak] },
    ],
    comparisons: [
      { name: "agent / ip -batch", value: ours / median(iproute2.slice(1)), target: { atMost: 1 } },
      { name: "agent / floor", value: ours / median(floor.slice(1)), target: { atMost: 3.5 } },
      { name: "MiB above idle", value: held - idle, target: { atMost: 250 } },
    ],
  };
}
