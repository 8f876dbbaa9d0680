import { BareNetlink } from "./bare-netlink.js";
import { median, type Outcome, type Run, time } from "./benchmark.js";
import * as routes from "./routes.js";

/** Routes that come over some bus. */
export interface RoutesOverBus {
  /** `over Kafka`. */
  readonly name: string;
  readonly networks: readonly string[];
  /** The link that they leave by. */
  readonly linkIndex: number;
  /** Milliseconds until all of them are there. */
  readonly add: () => Promise<number>;
  /** Has them removed, and waits for it. */
  readonly remove: () => Promise<void>;
}

/** In turns with the floor: the same kernel messages sent from this process. The first turn is not counted. */
export async function nextToFloor(
  run: Run,
  { name, networks, linkIndex, add, remove }: RoutesOverBus,
): Promise<Outcome> {
  const kernelRoutes = networks.map((network) => routes.kernelRoute(network, linkIndex));
  const bare = new BareNetlink();
  const ours: number[] = [];
  const floor: number[] = [];
  for (let turn = 0; turn <= run.repeats; turn++) {
    const elapsed = await add();
    await remove();
    const bareTime = await time(async () => bare.addRoutes(kernelRoutes));
    await routes.flushRoutes();
    if (turn === 0) continue;
    ours.push(elapsed);
    floor.push(bareTime);
  }
  bare.close();
  return {
    measurements: [
      { name, unit: "ms", values: ours },
      { name: "floor", unit: "ms", values: floor },
    ],
    comparisons: [{ name: `${name} / floor`, value: median(ours) / median(floor), target: { atMost: 4 } }],
  };
}
