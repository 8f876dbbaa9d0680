import { randomUUID } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import { connect } from "nats";
import { Health } from "#core/health/types.js";
import { NatsPlugin } from "#plugins/nats/index.js";
import { type Broker, startKafka, startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { kafkaProgram } from "#test/support/programs.js";
import { run } from "#test/support/sandbox.js";
import { type BusAgent, busAgent, dummy, healthy, keyOf } from "./support/agent.js";
import { broker, header, json, KafkaBus, withOwnKafka } from "./support/bus.js";

const PATIENCE = 180_000;

/** A consumer that died with its broker is not waited for long. */
const QUICK = { rebalance_timeout: "1s", heartbeat_interval: "200ms", fetch_wait: "200ms" };

let server: Broker;

test.before(async (t) => {
  t.timeout(PATIENCE);
  if (kafkaProgram() !== undefined) server = await startKafka();
});

test.after.always(() => server?.stop());

function agentOn(t: ExecutionContext, brokers: string, more: object = {}): Promise<BusAgent> {
  return busAgent(t, { kafka: { brokers, ...QUICK, ...more } });
}

async function busOn(t: ExecutionContext, brokers: string): Promise<KafkaBus> {
  const bus = await KafkaBus.connect(brokers);
  t.teardown(() => bus.close());
  return bus;
}

/** Connections of this process to a broker. */
async function connectionsTo({ url }: Broker): Promise<number> {
  const list = await run(["ss", "-Htn", "state", "established", "dport", "=", `:${url.split(":").at(-1)}`]);
  return list.split("\n").filter((line) => line !== "").length;
}

withOwnKafka("an agent whose broker is not there starts, says so, and joins when it comes", async (t) => {
  t.timeout(PATIENCE);
  await server.kill();
  const agent = await agentOn(t, server.url);
  const unreachable = `Kafka at ${server.url} cannot be reached`;
  await eventually(() => agent.health().reason.includes(unreachable), { what: unreachable });
  t.is(agent.health().reason.indexOf(unreachable), agent.health().reason.lastIndexOf(unreachable), "said once");
  t.true(agent.agent.get(Health).ready);
  agent.tell("eth0", "UP");
  await server.restart();
  await healthy(agent);
  const bus = await busOn(t, server.url);
  await bus.command(agent.label, { id: "joined", changes: [dummy("a")] });
  t.is((await bus.result("joined")).result.outcome, "APPLIED");
  const states = await bus.view("tenuto.state.interface");
  await eventually(() => states.messages.some(({ key }) => key?.toString() === `${agent.label}/eth0`));
});

withOwnKafka("what changed on the bus during an outage is noticed, and what happened here is told", async (t) => {
  t.timeout(PATIENCE);
  const agent = await agentOn(t, server.url, { reconnect_min: "3s", reconnect_max: "3s" });
  await healthy(agent);
  const bus = await busOn(t, server.url);
  await bus.want(agent.label, [dummy("a"), dummy("b"), dummy("c")]);
  await eventually(() => agent.desired().join() === "a,b,c");
  for (const name of ["gone", "kept", "back"]) agent.tell(name, "UP");

  await server.kill();
  await eventually(() => agent.health().state === "degraded");
  t.is(agent.desired().join(), "a,b,c", "the host stays as it is without its bus");
  agent.tell("gone", "DELETED");
  for (let change = 0; change < 50; change += 1) agent.tell("back", change % 2 === 0 ? "UP" : "DOWN");
  await server.restart();
  await bus.want(agent.label, [{ key: keyOf("a") }, dummy("d")]);
  await healthy(agent);
  await eventually(() => agent.desired().join() === "b,c,d", { timeout: 60_000 });

  const states = await bus.view("tenuto.state.interface");
  const last = (name: string): unknown => {
    const message = states.messages.findLast(({ key }) => key?.toString() === `${agent.label}/${name}`);
    return message?.value === null
      ? "tombstone"
      : (json(message) as { state: { oper_status: string } } | null)?.state.oper_status;
  };
  await eventually(() => [last("gone"), last("kept"), last("back")].join() === "tombstone,UP,DOWN");
  const back = states.messages.filter(({ key }) => key?.toString() === `${agent.label}/back`);
  t.true(back.length < 10, "states that nobody could see were not told one by one");
});

withOwnKafka("a broker that does not answer any more is noticed, and joined when it does", async (t) => {
  t.timeout(PATIENCE);
  const impatient = { stall_timeout: "1s", request_timeout: "1s", connect_timeout: "1s", drain_timeout: "500ms" };
  const agent = await agentOn(t, server.url, impatient);
  await healthy(agent);
  server.pause();
  await eventually(() => agent.health().state === "degraded");
  server.resume();
  await healthy(agent);
  server.pause();
  agent.tell("eth0", "UP");
  await agent.close();
  server.resume();
  await eventually(async () => (await connectionsTo(server)) === 0, { what: "the agent's connections to end" });
  t.pass("closing does not wait for a broker that hangs");
});

/** An agent that has its command topic, with a command in it, and says nothing any more until it is released. */
async function hungAgent(bus: KafkaBus, label: string, rebalanceTimeout: number): Promise<() => Promise<void>> {
  const topic = `tenuto.${label}.commands`;
  await bus.createTopic(topic);
  await bus.command(label, { id: `${label}-first`, changes: [dummy("a")] });
  const dead = bus.kafka.consumer({ groupId: topic, sessionTimeout: 5 * 60_000, rebalanceTimeout });
  await dead.connect();
  await dead.subscribe({ topic, fromBeginning: true });
  let release = (): void => undefined;
  const hang = (): Promise<void> => new Promise((resolve) => (release = resolve));
  await new Promise<void>((begun) => {
    const eachBatch = (): Promise<void> => {
      begun();
      return hang();
    };
    void dead.run({ autoCommit: false, eachBatch });
  });
  return async () => {
    release();
    await dead.disconnect();
  };
}

withOwnKafka("an agent that died is not waited for until its session ends when its successor is there", async (t) => {
  t.timeout(PATIENCE);
  const label = `t-${randomUUID().slice(0, 8)}`;
  const bus = await busOn(t, server.url);
  const end = await hungAgent(bus, label, 1_000);
  await busAgent(t, { label, kafka: { brokers: server.url, ...QUICK } });
  t.is((await bus.result(`${label}-first`)).result.outcome, "APPLIED");
  await end();
});

withOwnKafka("an agent that closes while it is on its way into its group leaves nothing behind", async (t) => {
  t.timeout(PATIENCE);
  const label = `t-${randomUUID().slice(0, 8)}`;
  const bus = await busOn(t, server.url);
  const end = await hungAgent(bus, label, 3_000);
  const before = await connectionsTo(server);
  const agent = await busAgent(t, { label, kafka: { brokers: server.url, ...QUICK } });
  const group = `tenuto.${label}.commands`;
  await eventually(async () => (await bus.group(group)).state === "PreparingRebalance");
  await agent.close();
  await eventually(async () => (await connectionsTo(server)) <= before, { what: "the agent's connections to end" });
  await end();
  await eventually(async () => {
    const { state, members } = await bus.group(group);
    if (members.length > 0) throw new Error(`${state}, ${members.length} members`);
    return true;
  });
  t.deepEqual(agent.operations, []);
});

withOwnKafka("topics that somebody deletes are made anew, and read and written again", async (t) => {
  t.timeout(PATIENCE);
  const agent = await agentOn(t, server.url);
  await healthy(agent);
  const bus = await busOn(t, server.url);
  const topics = [`tenuto.${agent.label}.config`, `tenuto.${agent.label}.commands`];
  const apply = async (desired: string, commanded: string): Promise<void> => {
    const id = randomUUID();
    await bus.want(agent.label, [dummy(desired)]);
    await bus.command(agent.label, { id, changes: [dummy(commanded)] });
    t.is((await bus.result(id)).result.outcome, "APPLIED");
  };
  await apply("a", "b");
  await eventually(() => agent.desired().join() === "a,b");
  await bus.remakeTopics(topics);
  await healthy(agent);
  t.deepEqual(agent.desired(), ["a", "b"]);
  await apply("c", "d");
  await eventually(() => agent.desired().join() === "a,b,c,d");
});

withOwnKafka("a broker that lost its data takes nothing away from the host", async (t) => {
  t.timeout(PATIENCE);
  const first = await broker(t);
  const agent = await agentOn(t, first.url);
  await healthy(agent);
  const bus = await busOn(t, first.url);
  await bus.want(agent.label, [dummy("a")]);
  await eventually(() => agent.desired().join() === "a");
  await first.stop();
  await eventually(() => agent.health().state === "degraded");
  const second = await broker(t, { port: Number(first.url.split(":").at(-1)) });
  await healthy(agent);
  t.is(agent.desired().join(), "a");
  const again = await busOn(t, second.url);
  await again.command(agent.label, { id: "x", changes: [dummy("b")] });
  await again.result("x");
  const events = await again.view("tenuto.events");
  await eventually(() => events.messages.some((message) => header(message, "ce-subject") === "x"));
});

withOwnKafka(
  "two buses in one agent: while one is away the other works, and the first hears later what it missed",
  async (t) => {
    t.timeout(PATIENCE);
    const nats = await startNats();
    t.teardown(() => nats.stop());
    const impatient = { stall_timeout: "1s", request_timeout: "1s", connect_timeout: "1s" };
    const agent = await busAgent(t, {
      kafka: { brokers: server.url, ...QUICK, ...impatient },
      configuration: { nats: { url: nats.url, reconnect_min: "20ms", reconnect_max: "200ms" } },
      flavor: (base) => base.with(NatsPlugin),
    });
    const health = (): string =>
      agent.agent
        .get(Health)
        .plugins()
        .filter(({ plugin }) => plugin === "kafka" || plugin === "nats")
        .map(({ plugin, state }) => `${plugin} ${state}`)
        .toSorted()
        .join();
    const is = (desired: string): Promise<boolean> =>
      eventually(() => health() === desired, { what: desired, timeout: 60_000 });
    await is("kafka ok,nats ok");
    const bus = await busOn(t, server.url);
    const onKafka = await bus.view("tenuto.state.interface");
    const connection = await connect({ servers: nats.url, reconnectTimeWait: 20, maxReconnectAttempts: -1 });
    t.teardown(() => connection.close());
    const onNats = async (name: string): Promise<boolean> => {
      const bucket = await connection.jetstream().views.kv("tenuto-state");
      return (await bucket.get(`${agent.label}.interface.${name}`)) !== null;
    };
    const heard = async (name: string): Promise<void> => {
      const isOnKafka = (): boolean => onKafka.messages.some(({ key }) => key?.toString() === `${agent.label}/${name}`);
      await eventually(async () => isOnKafka() && (await onNats(name)), {
        what: `${name} on both buses`,
        timeout: 60_000,
      });
    };

    server.pause();
    await is("kafka degraded,nats ok");
    const request = JSON.stringify({ id: "by-nats", changes: [dummy("a")] });
    const answer = await connection.request(`tenuto.${agent.label}.config.commit`, request, { timeout: 60_000 });
    t.is(answer.json<{ outcome: string }>().outcome, "APPLIED");
    agent.tell("eth1", "UP");
    await eventually(() => onNats("eth1"));
    server.resume();
    await is("kafka ok,nats ok");
    await heard("eth1");

    await nats.kill();
    await is("kafka ok,nats degraded");
    await bus.command(agent.label, { id: "by-kafka", changes: [dummy("b")] });
    t.is((await bus.result("by-kafka")).result.outcome, "APPLIED");
    agent.tell("eth2", "UP");
    await eventually(() => onKafka.messages.some(({ key }) => key?.toString() === `${agent.label}/eth2`));
    await nats.restart();
    await is("kafka ok,nats ok");
    await heard("eth2");
    t.deepEqual(agent.desired(), ["a", "b"]);
  },
);
