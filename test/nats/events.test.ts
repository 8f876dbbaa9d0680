import test, { type ExecutionContext } from "ava";
import type { KV, Msg, NatsConnection } from "nats";
import { EventPublisher } from "#core/northbound/index.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { type BusAgent, broker, bus, busAgent, dummy, PATIENT } from "./support/agent.js";

let server: Broker;

test.before(async () => {
  server = await startNats();
});

test.after.always(() => server.stop());

async function joined(t: ExecutionContext, url: string, nats: object = {}): Promise<BusAgent> {
  const agent = await busAgent(t, { nats: { url, ...nats } });
  await eventually(() => agent.health().state === "ok", { what: "the agent on the bus" });
  return agent;
}

/** Every message on a subject, as it comes. */
async function heard(connection: NatsConnection, subject: string): Promise<readonly Msg[]> {
  const messages: Msg[] = [];
  connection.subscribe(subject, { callback: (_error, message) => void messages.push(message) });
  await connection.flush();
  return messages;
}

function lastStates(connection: NatsConnection): Promise<KV> {
  return connection.jetstream().views.kv("tenuto-state");
}

function oper(message: Msg): string {
  return message.json<{ state: { oper_status: string } }>().state.oper_status;
}

async function lastOper(kv: KV, label: string, name: string): Promise<string | undefined> {
  const entry = await kv.get(`${label}.interface.${name}`);
  return entry?.operation === "PUT"
    ? entry.json<{ state: { oper_status: string } }>().state.oper_status
    : entry?.operation;
}

test("an interface's state is published on its subject with CloudEvents headers", async (t) => {
  const agent = await joined(t, server.url);
  const connection = await bus(t, server.url);
  const messages = await heard(connection, `tenuto.${agent.label}.state.interface.>`);
  agent.tell("eth0.100", "UP");
  const message = await eventually(() => messages[0]);
  t.is(message.subject, `tenuto.${agent.label}.state.interface.eth0=2E100`);
  t.like(message.json(), { type: "UPDOWN", state: { name: "eth0.100", oper_status: "UP" } });
  const attributes = Object.fromEntries(
    (message.headers?.keys() ?? []).map((name) => [name.toLowerCase(), message.headers?.get(name) ?? ""]),
  );
  t.like(attributes, {
    "ce-specversion": "1.0",
    "ce-source": `/tenuto/${agent.label}`,
    "ce-type": "io.tenuto.interface.state",
    "ce-subject": "eth0.100",
    "content-type": "application/json",
  });
  t.truthy(attributes["ce-id"]);
  t.false(Number.isNaN(Date.parse(attributes["ce-time"] ?? "")));
});

test("transactions and values are told of on their subjects", async (t) => {
  const agent = await joined(t, server.url);
  const connection = await bus(t, server.url);
  const messages = await heard(connection, `tenuto.${agent.label}.event.>`);
  const transaction = JSON.stringify({ id: "x", changes: [dummy("a")] });
  await connection.request(`tenuto.${agent.label}.config.commit`, transaction, PATIENT);
  const last = (kind: string): Msg | undefined => messages.findLast(({ subject }) => subject.endsWith(kind));
  await eventually(() => last(".transaction") !== undefined && last(".value") !== undefined);
  t.is(last(".transaction")?.json<{ id: string }>().id, "x");
  t.is(last(".value")?.json<{ state: string }>().state, "CONFIGURED");
});

test("a subscriber that comes late finds the last state in the bucket; a deleted interface leaves a marker", async (t) => {
  const agent = await joined(t, server.url);
  const kv = await lastStates(await bus(t, server.url));
  agent.tell("eth0", "DOWN");
  agent.tell("eth0", "UP");
  agent.tell("a/b", "UP");
  await eventually(async () => (await lastOper(kv, agent.label, "eth0")) === "UP");
  await eventually(async () => (await lastOper(kv, agent.label, "a/b")) === "UP");
  agent.tell("eth0", "DELETED");
  await eventually(async () => (await lastOper(kv, agent.label, "eth0")) === "DEL");
  t.pass();
});

test("what happened while the bus was away is told when it is back, with the last state of each interface", async (t) => {
  const own = await broker(t);
  const agent = await joined(t, own.url, { reconnect_min: "1s", reconnect_max: "1s" });
  for (const name of ["gone", "kept", "back"]) agent.tell(name, "UP");
  const kv = await lastStates(await bus(t, own.url));
  await eventually(async () => (await lastOper(kv, agent.label, "back")) === "UP");

  await own.kill();
  await eventually(() => agent.health().state === "degraded");
  agent.tell("gone", "DELETED");
  for (let change = 0; change < 50; change += 1) agent.tell("back", change % 2 === 0 ? "UP" : "DOWN");
  await own.restart();
  const connection = await bus(t, own.url);
  const messages = await heard(connection, `tenuto.${agent.label}.state.interface.>`);
  await eventually(() => agent.health().state === "ok");
  await eventually(() => messages.length >= 3);
  const told = messages.map((message) => `${message.subject.split(".").at(-1)} ${oper(message)}`);
  t.deepEqual(told.toSorted(), ["back DOWN", "gone DELETED", "kept UP"]);

  const after = await lastStates(connection);
  await eventually(async () => (await lastOper(after, agent.label, "gone")) === "DEL");
  await eventually(async () => (await lastOper(after, agent.label, "back")) === "DOWN");
});

test("an agent that starts removes from the bucket what went while it was not there", async (t) => {
  const first = await busAgent(t, { label: "swept", nats: { url: server.url } });
  await eventually(() => first.health().state === "ok");
  first.tell("stale", "UP");
  const kv = await lastStates(await bus(t, server.url));
  await eventually(async () => (await lastOper(kv, "swept", "stale")) === "UP");
  await first.close();
  await busAgent(t, { label: "swept", nats: { url: server.url } });
  await eventually(async () => (await lastOper(kv, "swept", "stale")) === "DEL");
  t.pass();
});

test("events told just before the agent closes still go out", async (t) => {
  const agent = await joined(t, server.url);
  const connection = await bus(t, server.url);
  const messages = await heard(connection, `tenuto.${agent.label}.state.interface.>`);
  for (let index = 0; index < 500; index += 1) agent.tell(`if${index}`, "UP");
  await agent.close();
  await eventually(() => messages.length === 500);
  const kv = await lastStates(connection);
  t.is(await lastOper(kv, agent.label, "if499"), "UP");
});

test("an event larger than the broker takes is left out, and the next ones are told", async (t) => {
  const agent = await joined(t, server.url);
  const connection = await bus(t, server.url);
  const messages = await heard(connection, `tenuto.${agent.label}.event.ifmgr`);
  const publisher = agent.agent.get(EventPublisher);
  publisher.publish({ kind: "ifmgr", name: "large", data: { text: "x".repeat(2 * 1024 * 1024) } });
  publisher.publish({ kind: "ifmgr", name: "small", data: { text: "x" } });
  await eventually(() => messages.length === 1);
  t.is(messages[0]?.headers?.get("ce-subject"), "small");
});

test("a bucket of last states that is lost, made anew or purged has all of them again within seconds", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url, bucket_check: "100ms" } });
  await eventually(() => agent.health().state === "ok");
  const connection = await bus(t, server.url);
  const manager = await connection.jetstreamManager();
  const stream = "KV_tenuto-state";
  const states = async (): Promise<boolean> => {
    const { state } = await manager.streams.info(stream, { subjects_filter: `$KV.tenuto-state.${agent.label}.>` });
    return Object.keys(state.subjects ?? {}).length === 2;
  };
  agent.tell("eth0", "UP");
  agent.tell("eth1", "DOWN");
  await eventually(states);
  const losses = [
    () => manager.streams.delete(stream),
    () => manager.streams.purge(stream),
    async () => {
      await manager.streams.delete(stream);
      const open = () => connection.jetstream().views.kv("tenuto-state");
      await open().catch(open);
    },
  ];
  for (const lose of losses) {
    await lose();
    await eventually(states);
  }
  t.pass();
});
