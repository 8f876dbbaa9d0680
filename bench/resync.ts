import { TENUTO_PROTOCOL } from "#plugins/linux/protocol.js";
import { BareNetlink } from "./bare-netlink.js";
import { type Benchmark, median, type Outcome, type Run, sized, time } from "./benchmark.js";
import * as routes from "./routes.js";
import { commit, makeUplink, onNats, type Scene } from "./scene.js";

export const resync: Benchmark = {
  name: "resync",
  method:
    "A downstream resync by request over NATS with 100,000 routes in place that are all right, from the request sent to the answer received: " +
    "everything is read from the kernel and compared. Compared with one raw dump of the same routes, received and not decoded. " +
    "The kernel's route and link events during the resyncs are counted: there may be none. The first turn is told apart: a later one " +
    "does not decode routes whose messages are, byte for byte, those of the turn before.",
  repeats: 7,
  run: (run) => onNats(run, (scene) => measure(run, scene)),
};

async function measure(run: Run, scene: Scene): Promise<Outcome> {
  const { client, netlink } = scene;
  await makeUplink(scene);
  await commit(
    scene,
    routes.destinations(sized(run, 100_000)).map((network) => routes.routeChange(network)),
  );
  let writes = 0;
  const unsubscribe = await netlink.default.subscribe(["route", "link", "address"], () => writes++);
  const bare = new BareNetlink();
  const ours: number[] = [];
  const first: number[] = [];
  const dumps: number[] = [];
  for (let turn = 0; turn <= run.repeats; turn++) {
    let operations = 0;
    const elapsed = await time(async () => {
      operations = (await client.resyncDownstream()).operations.length;
    });
    if (operations > 0) throw new Error(`a resync of what is all right made ${operations} operations`);
    const dump = await time(async () => bare.dumpRoutes(TENUTO_PROTOCOL));
    (turn === 0 ? first : ours).push(elapsed);
    if (turn > 0) dumps.push(dump);
  }
  bare.close();
  unsubscribe();
  return {
    measurements: [
      { name: "first resync", unit: "ms", values: first },
      { name: "resync", unit: "ms", values: ours },
      { name: "raw dump", unit: "ms", values: dumps },
    ],
    comparisons: [
      { name: "resync / raw dump", value: median(ours) / median(dumps), target: { atMost: 4 } },
      { name: "kernel events during the resyncs", value: writes, target: { atMost: 0 } },
    ],
  };
}
