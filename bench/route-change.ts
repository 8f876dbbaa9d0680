import { startEcho } from "./bare-bus.js";
import { type Benchmark, median, type Outcome, percentile, type Run, sized, time } from "./benchmark.js";
import * as routes from "./routes.js";
import { commit, makeUplink, onNats, type Scene } from "./scene.js";

const few = 10;
const warmUp = 200;

export const routeChange: Benchmark = {
  name: "route-change",
  method:
    "One route's gateway changed by a transaction over NATS, from the request sent to the answer received, one at a time, with 10 " +
    "routes in place and with 100,000 (store with its fsync, result, history and events on); every change is another route. " +
    "Compared with a bare NATS request of the same size to a process that answers at once with as many bytes as the agent. " +
    "200 of each before are not counted.",
  repeats: 1000,
  run: (run) => onNats(run, (scene) => measure(run, scene)),
};

async function measure(run: Run, scene: Scene): Promise<Outcome> {
  await makeUplink(scene);
  const networks = routes.destinations(sized(run, 100_000));
  const someNetworks = networks.slice(0, few);
  await commit(
    scene,
    someNetworks.map((network) => routes.routeChange(network)),
  );
  const amongFew = await changes(run, scene, someNetworks);
  await commit(
    scene,
    networks.map((network) => routes.routeChange(network)),
  );
  const amongMany = await changes(run, scene, networks);
  const bare = await requests(run, scene);
  return {
    measurements: [
      { name: "bare request", unit: "us", values: bare },
      { name: "among 10", unit: "us", values: amongFew },
      { name: "among 100,000", unit: "us", values: amongMany },
    ],
    comparisons: [
      { name: "ms above a bare request, p50", value: (median(amongMany) - median(bare)) / 1000, target: { atMost: 1 } },
      { name: "ms above a bare request, p99", value: (percentile(amongMany, 0.99) - percentile(bare, 0.99)) / 1000 },
      { name: "among 100,000 / among 10", value: median(amongMany) / median(amongFew), target: { atMost: 1.3 } },
    ],
  };
}

async function changes({ repeats }: Run, { client }: Scene, networks: readonly string[]): Promise<readonly number[]> {
  const latencies: number[] = [];
  for (let turn = 0; turn < warmUp + repeats; turn++) {
    const network = networks[turn % networks.length] ?? "";
    const round = Math.floor(turn / networks.length);
    const messages = client.prepare([routes.changedRoute(network, round)]);
    const elapsed = await time(() => client.commit(messages));
    if (turn >= warmUp) latencies.push(elapsed * 1000);
  }
  return latencies;
}

async function requests({ repeats }: Run, { client, server }: Scene): Promise<readonly number[]> {
  const [request = new Uint8Array()] = client.prepare([routes.routeChange("10.0.0.0/28")]);
  const answer = JSON.stringify(await client.commit(client.prepare([routes.routeChange("10.0.0.0/28")])));
  const echo = await startEcho(server.url, answer.length);
  const latencies: number[] = [];
  for (let turn = 0; turn < warmUp + repeats; turn++) {
    const elapsed = await time(() => client.connection.request("bare.request", request, { timeout: 10_000 }));
    if (turn >= warmUp) latencies.push(elapsed * 1000);
  }
  await echo.stop();
  return latencies;
}
