import { randomUUID } from "node:crypto";
import type { ExecutionContext } from "ava";
import { EventPublisher } from "#core/northbound/index.js";
import { eventually } from "#test/support/eventually.js";
import { type BusAgent, busAgent, dummy, healthy, keyOf } from "./support/agent.js";
import { anyKafka, header, json, type Received, withKafka } from "./support/bus.js";

const kafka = anyKafka();

async function joined(t: ExecutionContext, more: object = {}): Promise<BusAgent> {
  const agent = await busAgent(t, { kafka: { brokers: await kafka.brokers(), ...more } });
  await healthy(agent);
  return agent;
}

/** What of a topic is about an agent, as it comes. */
async function heard(topic: string, { label }: BusAgent): Promise<() => readonly Received[]> {
  const { messages } = await (await kafka.bus()).view(topic);
  const isMine = (key: string): boolean => key === label || key.startsWith(`${label}/`);
  return () => messages.filter(({ key }) => isMine(key?.toString() ?? ""));
}

function oper(message: Received): string {
  return message.value === null ? "" : (json(message) as { state: { oper_status: string } }).state.oper_status;
}

withKafka(
  "an interface's states are published under its key with CloudEvents headers, and a tombstone when it goes",
  async (t) => {
    const agent = await joined(t);
    const states = await heard("tenuto.state.interface", agent);
    agent.tell("eth0.100", "UP");
    agent.tell("eth0.100", "DELETED");
    await eventually(() => states().length === 3);
    t.deepEqual(states().map(oper), ["UP", "DELETED", ""]);
    t.true(states().every(({ key }) => key?.toString() === `${agent.label}/eth0.100`));
    const [first] = states();
    t.like(json(first), { type: "UPDOWN", state: { name: "eth0.100", oper_status: "UP" } });
    t.is(header(first, "ce-specversion"), "1.0");
    t.is(header(first, "ce-source"), `/tenuto/${agent.label}`);
    t.is(header(first, "ce-type"), "io.tenuto.interface.state");
    t.is(header(first, "ce-subject"), "eth0.100");
    t.is(header(first, "content-type"), "application/json");
    t.truthy(header(first, "ce-id"));
    t.false(Number.isNaN(Date.parse(header(first, "ce-time") ?? "")));
  },
);

withKafka("transactions and values are told of on the event topic", async (t) => {
  const agent = await joined(t);
  const events = await heard("tenuto.events", agent);
  const id = randomUUID();
  await (await kafka.bus()).command(agent.label, { id, changes: [dummy("a")] });
  const about = (subject: string): Received | undefined =>
    events().findLast((one) => header(one, "ce-subject") === subject);
  const finished = await eventually(() => about(id));
  const value = await eventually(() => about(keyOf("a")));
  t.is(header(finished, "ce-type"), "io.tenuto.transaction.finished");
  t.is(header(value, "ce-type"), "io.tenuto.value.status");
  t.like(json(finished), { id, outcome: "APPLIED" });
  t.like(json(value), { state: "CONFIGURED" });
});

withKafka("events told just before the agent closes still go out, in their order", async (t) => {
  const agent = await joined(t);
  const states = await heard("tenuto.state.interface", agent);
  for (let index = 0; index < 2_000; index += 1) agent.tell(`if${index % 10}`, index % 20 < 10 ? "UP" : "DOWN");
  await agent.close();
  await eventually(() => states().length === 2_000);
  t.deepEqual(
    states().slice(-10).map(oper),
    Array.from({ length: 10 }, () => "DOWN"),
  );
});

withKafka("an event larger than a message may be is left out, and the next ones are told", async (t) => {
  const agent = await joined(t, { max_message_bytes: 16 * 1024 });
  const events = await heard("tenuto.events", agent);
  const publisher = agent.agent.get(EventPublisher);
  publisher.publish({ kind: "ifmgr", name: "large", data: { text: "x".repeat(20_000) } });
  publisher.publish({ kind: "ifmgr", name: "small", data: { text: "x" } });
  await eventually(() => events().some((event) => header(event, "ce-subject") === "small"));
  t.false(events().some((event) => header(event, "ce-subject") === "large"));
});
