/**
 * The main job over Kafka, from outside: a real broker, the agent as a process of its own, a real kernel looked at with
 * iproute2.
 */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { connect } from "nats";
import { changesOf, configured, facts, inKernel, type Pair, pairOf } from "#test/e2e/support/pair.js";
import { agentProcess } from "#test/support/agent-process.js";
import { startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { anyKafka, header, json, withKafka } from "./support/bus.js";

const kafka = anyKafka();
const PATIENCE = 180_000;

async function asConfigured(pair: Pair): Promise<boolean> {
  const { near, far } = await inKernel(pair);
  return isDeepStrictEqual(facts(near), configured(pair.near)) && isDeepStrictEqual(facts(far), configured(pair.far));
}

function newLabel(): string {
  return `l-${randomUUID().slice(0, 8)}`;
}

withKafka(
  "a pair sent to the command topic is in the kernel as asked, and its states are on the state topic",
  async (t) => {
    t.timeout(PATIENCE);
    const label = newLabel();
    const agent = await agentProcess({ label, flavor: "kafka", args: ["--kafka", await kafka.brokers()] });
    t.teardown(() => agent.stop());
    const bus = await kafka.bus();
    const pair = pairOf("kafka", 1);
    const id = randomUUID();
    await bus.command(label, { id, changes: changesOf(pair) });
    const { result } = await bus.result(id);
    t.is(result.outcome, "APPLIED");
    t.true(result.values.every(({ state }) => state === "CONFIGURED"));
    t.true(await asConfigured(pair));

    const states = await bus.view("tenuto.state.interface");
    for (const { name } of [pair.near, pair.far]) {
      const message = await eventually(() => {
        const last = states.messages.findLast(({ key }) => key?.toString() === `${label}/${name}`);
        return last !== undefined && JSON.stringify(json(last)).includes('"oper_status":"UP"') && last;
      });
      t.is(header(message, "ce-type"), "io.tenuto.interface.state");
    }
  },
);

withKafka("a killed agent finds its pair again and holds it, from the topic of the desired state", async (t) => {
  t.timeout(PATIENCE);
  const label = newLabel();
  const agent = await agentProcess({ label, flavor: "kafka", args: ["--kafka", await kafka.brokers()] });
  t.teardown(() => agent.stop());
  const bus = await kafka.bus();
  const pair = pairOf("held", 2);
  await bus.want(label, [pair.near.change, pair.far.change]);
  await eventually(() => asConfigured(pair));
  const before = await inKernel(pair);
  await agent.kill9();
  await agent.restart();
  await eventually(() => asConfigured(pair));
  const after = await inKernel(pair);
  t.is(after.near?.ifindex, before.near?.ifindex, "it was not made anew");
  await bus.want(label, [{ key: pair.far.key }, { key: pair.near.key }]);
  await eventually(async () => (await inKernel(pair)).near === undefined);
});

withKafka("both buses in one agent: configured from each, and each state is told on both", async (t) => {
  t.timeout(PATIENCE);
  const nats = await startNats();
  t.teardown(() => nats.stop());
  const label = newLabel();
  const agent = await agentProcess({
    label,
    flavor: "full",
    args: ["--nats", nats.url, "--kafka", await kafka.brokers()],
  });
  t.teardown(() => agent.stop());
  const bus = await kafka.bus();
  const connection = await connect({ servers: nats.url });
  t.teardown(() => connection.close());
  const onNats = new Set<string>();
  connection.subscribe(`tenuto.${label}.state.interface.*`, {
    callback: (_error, message) => void onNats.add(message.subject.split(".").at(-1) ?? ""),
  });
  await connection.flush();
  const states = await bus.view("tenuto.state.interface");

  const [first, second] = [pairOf("bykafka", 3), pairOf("bynats", 4)];
  await bus.want(label, [first.near.change, first.far.change]);
  await eventually(() => asConfigured(first));
  const request = JSON.stringify({ id: randomUUID(), changes: changesOf(second) });
  const reply = await connection.request(`tenuto.${label}.config.commit`, request, { timeout: 60_000 });
  t.is(reply.json<{ outcome: string }>().outcome, "APPLIED");
  t.true(await asConfigured(second));
  for (const { name } of [first.near, first.far, second.near, second.far]) {
    await eventually(
      () => onNats.has(name) && states.messages.some(({ key }) => key?.toString() === `${label}/${name}`),
      {
        what: `the state of ${name} on both buses`,
      },
    );
  }
});
