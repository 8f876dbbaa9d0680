import { setTimeout as pause } from "node:timers/promises";
import { interfaceKey } from "#proto/index.js";
import { interfaceStateSubject } from "#proto/nats.js";
import { startEcho } from "./bare-bus.js";
import { type Benchmark, median, type Outcome, percentile, type Run, sized } from "./benchmark.js";
import { LinkChanger } from "./link-changes.js";
import { commit, label, onNats, type Scene } from "./scene.js";

const pairs = 150;
/** Longer than `interface-state.min_interval`, so that no change of an interface is folded into the one before. */
const quietTime = 150;
const warmUp = 1_000;
/** Rests cost time: of the changes that follow each other, one in so many is measured again after a rest. */
const restShare = 10;

export const eventToSubscriber: Benchmark = {
  name: "event-to-subscriber",
  method:
    "150 veth pairs of the agent's. The MTU of one end after the other is changed by a thread of another process, each when the " +
    "notification of the one before has arrived; measured is the time from right before that system call, which includes the kernel's work, to " +
    "the callback of a NATS subscriber in another process than the agent with the notification of the new MTU. Compared with bare " +
    "publish-subscribe, likewise one after the other: from right before another process publishes as many bytes to the same subscriber's " +
    "callback. 1,000 of each before are not counted. Both again with 150 ms of rest before each, in which threads, processors and caches go cold.",
  repeats: 1_000,
  run: (run) => onNats(run, (scene) => measure(run, scene)),
};

async function measure(run: Run, scene: Scene): Promise<Outcome> {
  const events = new Events(scene);
  await events.start(run);
  const eventTimes = await series(run, () => events.one());
  await events.end();
  const echo = await startEcho(scene.server.url, events.bytes);
  const bareTimes = await series(run, barePublication(scene));
  await echo.stop();
  const above = (share: number) => (percentile(eventTimes.busy, share) - percentile(bareTimes.busy, share)) / 1000;
  const aboveRested = (median(eventTimes.rested) - median(bareTimes.rested)) / 1000;
  return {
    measurements: [
      { name: "kernel change to subscriber", unit: "us", values: eventTimes.busy },
      { name: "bare publish to subscriber", unit: "us", values: bareTimes.busy },
      { name: "kernel change to subscriber, after a rest", unit: "us", values: eventTimes.rested },
      { name: "bare publish to subscriber, after a rest", unit: "us", values: bareTimes.rested },
    ],
    comparisons: [
      { name: "ms above bare, p50", value: above(0.5), target: { atMost: 0.5 } },
      { name: "ms above bare, p99", value: above(0.99), target: { atMost: 3 } },
      { name: "ms above bare after a rest, p50", value: aboveRested },
    ],
  };
}

interface Series {
  readonly busy: readonly number[];
  readonly rested: readonly number[];
}

/** Microseconds of one thing done again and again: one right after the other, then with a rest before each. */
async function series(run: Run, one: () => Promise<number>): Promise<Series> {
  const busy: number[] = [];
  const rested: number[] = [];
  for (let turn = 0; turn < sized(run, warmUp); turn++) await one();
  for (let turn = 0; turn < run.repeats; turn++) busy.push(await one());
  for (let turn = 0; turn * restShare < run.repeats; turn++) {
    await pause(quietTime);
    rested.push(await one());
  }
  return { busy, rested };
}

interface Ready {
  readonly name: string;
  readonly index: number;
  mtu: number;
  changedAt: number;
}

/** Changes of interfaces in the kernel, and the notifications of them. */
class Events {
  /** Of the last notification. */
  bytes = 0;
  private told: (name: string, mtu: number, at: bigint) => void = () => undefined;
  private links: Ready[] = [];
  private changer: LinkChanger | undefined;

  constructor(private readonly scene: Scene) {}

  async start(run: Run): Promise<void> {
    const { client, netlink } = this.scene;
    await commit(this.scene, Array.from({ length: sized(run, pairs) }, (_, pair) => pairChanges(pair)).flat());
    const links = await netlink.default.linkList({ kind: "veth" });
    this.links = links.map(({ name, index, mtu }) => ({ name, index, mtu, changedAt: performance.now() }));
    client.connection.subscribe(interfaceStateSubject(label), {
      callback: (_error, message) => {
        const at = process.hrtime.bigint();
        const { state } = message.json<{ readonly state?: { readonly name?: string; readonly mtu?: number } }>();
        this.bytes = message.data.length;
        this.told(state?.name ?? "", state?.mtu ?? 0, at);
      },
    });
    await client.connection.flush();
    this.changer = await LinkChanger.start();
  }

  async one(): Promise<number> {
    const link = this.links.shift();
    const changer = this.changer;
    if (link === undefined || changer === undefined) throw new Error("there is no link to change");
    const rest = link.changedAt + quietTime - performance.now();
    if (rest > 0) await pause(rest);
    link.mtu = link.mtu === 1400 ? 1500 : 1400;
    const arrival = new Promise<bigint>((resolve) => {
      this.told = (name, mtu, at) => {
        if (name === link.name && mtu === link.mtu) resolve(at);
      };
    });
    changer.change({ index: link.index, mtu: link.mtu });
    const at = await arrival;
    link.changedAt = performance.now();
    this.links.push(link);
    return Number(at - changer.changedAt) / 1000;
  }

  async end(): Promise<void> {
    await this.changer?.end();
  }
}

function pairChanges(pair: number) {
  const end = (own: string, other: string) => ({
    key: interfaceKey(own),
    value: { name: own, type: "VETH", enabled: true, veth: { peer_if_name: other } },
  });
  return [end(`event${pair}a`, `event${pair}b`), end(`event${pair}b`, `event${pair}a`)];
}

function barePublication({ client: { connection } }: Scene): () => Promise<number> {
  let told: (elapsed: number) => void = () => undefined;
  connection.subscribe("bare.time", {
    callback: (_error, message) => {
      const at = process.hrtime.bigint();
      told(Number(at - BigInt(message.string().trim())) / 1000);
    },
  });
  return () =>
    new Promise((resolve) => {
      told = resolve;
      connection.publish("bare.publish");
    });
}
