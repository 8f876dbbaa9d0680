import { setTimeout as pause } from "node:timers/promises";
import type { Msg } from "nats";
import { interfaceStateSubject } from "#proto/nats.js";
import { startEcho } from "./bare-bus.js";
import { type Benchmark, median, type Outcome, percentile, type Run } from "./benchmark.js";
import * as routes from "./routes.js";
import { label, makeUplink, onNats, type Scene } from "./scene.js";

const warmUp = 20;
/** Longer than `interface-state.min_interval`, so that no change is folded into the one before. */
const quietTime = 150;

export const eventToSubscriber: Benchmark = {
  name: "event-to-subscriber",
  method:
    "The MTU of an interface of the agent's is changed from outside, one change at a time; measured is the time from right before " +
    "the request to the kernel, its work included, to the notification with the new MTU in the callback of a NATS subscriber in " +
    "another process than the agent. Compared with bare publish-subscribe: from right before another process publishes to the same " +
    "subscriber's callback. 20 of each before are not counted.",
  repeats: 200,
  run: (run) => onNats(run, (scene) => measure(run, scene)),
};

async function measure(run: Run, scene: Scene): Promise<Outcome> {
  const index = await makeUplink(scene);
  const events = await changes(run, scene, index);
  const bare = await publications(run, scene);
  return {
    measurements: [
      { name: "kernel change to subscriber", unit: "us", values: events },
      { name: "bare publish to subscriber", unit: "us", values: bare },
    ],
    comparisons: [
      { name: "ms above bare, p50", value: (median(events) - median(bare)) / 1000, target: { atMost: 0.5 } },
      {
        name: "ms above bare, p99",
        value: (percentile(events, 0.99) - percentile(bare, 0.99)) / 1000,
        target: { atMost: 3 },
      },
    ],
  };
}

async function changes({ repeats }: Run, { client, room }: Scene, index: number): Promise<readonly number[]> {
  const latencies: number[] = [];
  let told: (mtu: number) => void = () => undefined;
  const subject = interfaceStateSubject(label, routes.uplink.name);
  client.connection.subscribe(subject, { callback: (_error, message) => told(mtuOf(message)) });
  await client.connection.flush();
  for (let turn = 0; turn < warmUp + repeats; turn++) {
    await pause(quietTime);
    const mtu = turn % 2 === 0 ? 1400 : 1500;
    const arrival = new Promise<bigint>((resolve) => {
      told = (reported) => {
        if (reported === mtu) resolve(process.hrtime.bigint());
      };
    });
    const begin = process.hrtime.bigint();
    await room.default.linkSet({ index, mtu });
    const elapsed = Number((await arrival) - begin) / 1000;
    if (turn >= warmUp) latencies.push(elapsed);
  }
  return latencies;
}

function mtuOf(message: Msg): number {
  return message.json<{ readonly state?: { readonly mtu?: number } }>().state?.mtu ?? 0;
}

async function publications({ repeats }: Run, { client, server }: Scene): Promise<readonly number[]> {
  const echo = await startEcho(server.url, 0);
  const latencies: number[] = [];
  let told: (elapsed: number) => void = () => undefined;
  client.connection.subscribe("bare.time", {
    callback: (_error, message) => told(Number(process.hrtime.bigint() - BigInt(message.string())) / 1000),
  });
  for (let turn = 0; turn < warmUp + repeats; turn++) {
    await pause(quietTime);
    const arrival = new Promise<number>((resolve) => {
      told = resolve;
    });
    client.connection.publish("bare.publish");
    const elapsed = await arrival;
    if (turn >= warmUp) latencies.push(elapsed);
  }
  await echo.stop();
  return latencies;
}
