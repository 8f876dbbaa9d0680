import { interfaceKey } from "#proto/index.js";
import { interfaceStateSubject } from "#proto/nats.js";
import { eventually } from "#test/support/eventually.js";
import { type Benchmark, type Outcome, type Run, sized } from "./benchmark.js";
import { commit, label, onNats, type Scene } from "./scene.js";

const pairs = 25;
const perBurst = 1_000;

export const linkBursts: Benchmark = {
  name: "link-bursts",
  method:
    "25 veth pairs of the agent's; their MTUs are changed from outside 20,000 times in bursts of 1,000 as fast as the kernel takes " +
    "them. Afterwards the last notification that a NATS subscriber has got of each of the 50 interfaces must have the MTU that the kernel has. " +
    "Measured: changes per second that were made, time from the last change until every last state is right, and the agent's memory.",
  repeats: 3,
  run: (run) => onNats(run, (scene) => measure(run, scene)),
};

async function measure(run: Run, scene: Scene): Promise<Outcome> {
  const { agent, client, netlink } = scene;
  const reported = new Map<string, number>();
  client.connection.subscribe(interfaceStateSubject(label), {
    callback: (_error, message) => {
      const { state } = message.json() as { readonly state?: { readonly name?: string; readonly mtu?: number } };
      reported.set(state?.name ?? "", state?.mtu ?? 0);
    },
  });
  await commit(scene, Array.from({ length: pairs }, (_, i) => pairChanges(i)).flat());
  const links = (await netlink.default.linkList({ kind: "veth" })).map(({ index, name }) => ({ index, name }));
  const idle = agent.residentMiB();
  const rates: number[] = [];
  const settling: number[] = [];
  let lost = 0;
  for (let turn = 0; turn < run.repeats; turn++) {
    const changes = sized(run, 20_000);
    const begin = performance.now();
    const expected = new Map<string, number>();
    for (let made = 0; made < changes; made += perBurst) {
      const burst = Array.from({ length: Math.min(perBurst, changes - made) }, (_, i) => {
        const link = links[(made + i) % links.length] ?? { index: 0, name: "" };
        const mtu = 1000 + ((turn * 7 + made + i) % 490);
        expected.set(link.name, mtu);
        return netlink.default.linkSet({ index: link.index, mtu });
      });
      await Promise.all(burst);
    }
    const end = performance.now();
    rates.push((changes / (end - begin)) * 1000);
    const wrong = () => [...expected].filter(([name, mtu]) => reported.get(name) !== mtu).length;
    await eventually(() => wrong() === 0, { timeout: 30_000, what: "the last states" }).catch(() => undefined);
    lost += wrong();
    settling.push(performance.now() - end);
  }
  return {
    measurements: [
      { name: "changes", unit: "per second", values: rates },
      { name: "last change to last state", unit: "ms", values: settling },
      { name: "memory before", unit: "MiB", values: [idle] },
      { name: "peak memory", unit: "MiB", values: [agent.peakMiB()] },
    ],
    comparisons: [{ name: "interfaces whose last state is wrong", value: lost, target: { atMost: 0 } }],
  };
}

function pairChanges(pair: number) {
  const end = (own: string, other: string) => ({
    key: interfaceKey(own),
    value: { name: own, type: "VETH", enabled: true, veth: { peer_if_name: other } },
  });
  return [end(`burst${pair}a`, `burst${pair}b`), end(`burst${pair}b`, `burst${pair}a`)];
}
