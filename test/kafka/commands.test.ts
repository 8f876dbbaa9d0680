import { randomUUID } from "node:crypto";
import type { ExecutionContext } from "ava";
import { ModelRegistry } from "#core/model/types.js";
import type { TransactionResult } from "#core/northbound/index.js";
import { eventually } from "#test/support/eventually.js";
import { type BusAgent, busAgent, dummy, healthy, keyOf } from "./support/agent.js";
import { anyKafka, header, json, type KafkaBus, type Received, withKafka } from "./support/bus.js";

const kafka = anyKafka();

async function joined(
  t: ExecutionContext,
  more: { readonly label?: string; readonly kafka?: object; readonly configuration?: object } = {},
): Promise<{ readonly agent: BusAgent; readonly bus: KafkaBus }> {
  const agent = await busAgent(t, {
    ...(more.label === undefined ? {} : { label: more.label }),
    ...(more.configuration === undefined ? {} : { configuration: more.configuration }),
    kafka: { brokers: await kafka.brokers(), ...more.kafka },
  });
  await healthy(agent);
  return { agent, bus: await kafka.bus() };
}

function commandsOf({ label }: BusAgent): string {
  return `tenuto.${label}.commands`;
}

/** Ids are for the whole result topic, which all tests share. */
function newId(): string {
  return randomUUID();
}

withKafka(
  "a transaction is applied, and its result has its id, its correlation id and the agent's label",
  async (t) => {
    const { agent, bus } = await joined(t);
    const id = newId();
    await bus.command(agent.label, { id, changes: [dummy("a")] }, { "correlation-id": "question 7" });
    const { message, result } = await bus.result(id);
    t.like(result, { id, outcome: "APPLIED" });
    t.deepEqual(
      result.values.map(({ key, state }) => [key, state]),
      [[keyOf("a"), "CONFIGURED"]],
    );
    t.is(header(message, "correlation-id"), "question 7");
    t.is(header(message, "tenuto-label"), agent.label);
    t.is(header(message, "content-type"), "application/json");
    t.deepEqual(agent.operations, ["create a"]);
  },
);

withKafka("protobuf is answered in protobuf, told by its header or by looking", async (t) => {
  const { agent, bus } = await joined(t);
  const registry = agent.agent.get(ModelRegistry);
  const results = await bus.view("tenuto.results");
  for (const headers of [{ "Content-Type": "application/x-protobuf" }, {}]) {
    const id = newId();
    const value = registry.encodeMessage("tenuto.v1.Transaction", { id, changes: [dummy("a")] }, "protobuf");
    await bus.send(commandsOf(agent), [{ key: null, value: Buffer.from(value), headers }]);
    const message = await eventually(() => results.messages.find(({ key }) => key?.toString() === id));
    const type = header(message, "content-type");
    t.is(type, "application/x-protobuf");
    const result = registry.decodeMessage<TransactionResult>("tenuto.v1.TransactionResult", message.value!, type);
    t.is(result.outcome, "APPLIED");
  }
});

withKafka("a command can name the topic for its result; one that is not there loses nothing", async (t) => {
  const { agent, bus } = await joined(t, { kafka: { reply_topics: ["replies-*", "missing"] } });
  const own = `replies-${newId()}`;
  await bus.createTopic(own);
  const [first, second, third] = [newId(), newId(), newId()];
  await bus.command(agent.label, { id: first, changes: [dummy("a")] }, { "reply-topic": own });
  await bus.command(agent.label, { id: second, changes: [dummy("b")] }, { "reply-topic": "missing" });
  await bus.command(agent.label, { id: third, changes: [dummy("c")] }, { "reply-topic": "replies-not a topic" });
  t.is((await bus.result(first, own)).result.outcome, "APPLIED");
  t.is((await bus.result(second)).result.outcome, "APPLIED");
  t.is((await bus.result(third)).result.outcome, "APPLIED");
  const all = await bus.view("tenuto.results");
  t.false(all.messages.some(({ key }) => key?.toString() === first));
});

withKafka(
  "a command that asks for its answer where it may not go is refused, and told so on the topic for all",
  async (t) => {
    const { agent, bus } = await joined(t, { kafka: { reply_topics: ["tenuto.*", "replies-*"] } });
    const victims = ["tenuto.victim.config", "tenuto.victim.commands", "tenuto.events", "elsewhere"];
    await bus.createTopic("tenuto.victim.config", { "cleanup.policy": "compact" });
    for (const topic of victims) {
      const id = newId();
      await bus.command(agent.label, { id, changes: [dummy("a")] }, { "reply-topic": topic });
      const { result } = await bus.result(id);
      t.is(result.outcome, "REJECTED");
      t.regex(result.error, new RegExp(`may not go to topic ${topic}: .*kafka.reply_topics`));
    }
    t.is(await bus.endOf("tenuto.victim.config"), "0");
    t.deepEqual(agent.operations, []);
  },
);

withKafka("the same id again gets the same answer and is not applied again", async (t) => {
  const { agent, bus } = await joined(t);
  const id = newId();
  await bus.command(agent.label, { id, changes: [dummy("a")] });
  await bus.command(agent.label, { id, changes: [dummy("other")] });
  const results = await bus.view("tenuto.results");
  const answers = (): readonly Received[] => results.messages.filter(({ key }) => key?.toString() === id);
  await eventually(() => answers().length === 2);
  const [first, again] = answers();
  t.deepEqual(again?.value, first?.value);
  t.deepEqual(agent.operations, ["create a"]);
});

withKafka("commands take effect in the order of the topic", async (t) => {
  const { agent, bus } = await joined(t);
  const run = newId();
  const commands = Array.from({ length: 200 }, (_, index) => {
    const change = index % 2 === 0 ? dummy("a") : { key: keyOf("a"), delete: true };
    return { key: null, value: JSON.stringify({ id: `${run}-${index}`, changes: [change] }) };
  });
  await bus.send(commandsOf(agent), commands);
  await bus.result(`${run}-199`);
  t.deepEqual(
    agent.operations,
    commands.map((_, index) => (index % 2 === 0 ? "create a" : "delete a")),
  );
});

withKafka("what can never be applied is a dead letter as it came, and what is behind it is applied", async (t) => {
  const { agent, bus } = await joined(t);
  const letters = await bus.view("tenuto.deadletter");
  const poison = [Buffer.from("{ no JSON"), Buffer.from([0xff]), null, Buffer.from("x".repeat(900_000))];
  await bus.send(
    commandsOf(agent),
    poison.map((value, index) => ({ key: null, value, headers: { n: String(index) } })),
  );
  const [bad, good] = [newId(), newId()];
  await bus.command(agent.label, { id: bad, chnages: [] });
  await bus.command(agent.label, { id: good, changes: [dummy("a")] });
  t.is((await bus.result(good)).result.outcome, "APPLIED");
  t.like((await bus.result(bad)).result, { outcome: "REJECTED" });

  const mine = (): readonly Received[] => letters.messages.filter(({ key }) => key?.toString() === agent.label);
  await eventually(() => mine().length === poison.length + 1, { what: "the dead letters" });
  for (const [index, value] of poison.entries()) {
    const letter = mine()[index];
    t.deepEqual(letter?.value, value);
    t.is(header(letter, "origin-topic"), commandsOf(agent));
    t.is(header(letter, "origin-offset"), String(index));
    t.is(header(letter, "n"), String(index));
    t.truthy(header(letter, "error"));
  }
  const events = await bus.view("tenuto.events");
  await eventually(() => {
    const told = events.messages.filter(({ key }) => key?.toString() === agent.label);
    return told.filter((event) => header(event, "ce-type") === "io.tenuto.deadletter").length === poison.length + 1;
  });
});

withKafka("a transaction that is refused is answered, with key and reason", async (t) => {
  const { agent, bus } = await joined(t);
  const id = newId();
  await bus.command(agent.label, { id, changes: [{ key: "no/such/kind", value: {} }] });
  const { result } = await bus.result(id);
  t.is(result.outcome, "REJECTED");
  t.regex(result.error, /no\/such\/kind/);
});

withKafka("a transaction of 900 KB is applied, and its result is cut to what a message may have", async (t) => {
  const { agent, bus } = await joined(t, { kafka: { max_message_bytes: 64 * 1024 } });
  const id = newId();
  const changes = Array.from({ length: 2_000 }, (_, index) => dummy(`if${index}`));
  const description = "x".repeat(900_000 - JSON.stringify(changes).length);
  await bus.command(agent.label, { id, description, changes });
  const { message, result } = await bus.result(id);
  t.true(result.truncated);
  t.is(result.outcome, "APPLIED");
  t.true(message.value!.length <= 64 * 1024);
  t.is(agent.desired().length, 2_000);
});

withKafka("parts are put together and answered once, also when the agent starts anew between them", async (t) => {
  const { agent, bus } = await joined(t);
  const id = newId();
  const part = (position: string, name: string): Promise<void> =>
    bus.command(agent.label, { id, changes: [dummy(name)] }, { "tenuto-part": position });
  await part("1/3", "a");
  await part("2/3", "b");
  const between = newId();
  await bus.command(agent.label, { id: between, changes: [dummy("x")] });
  await bus.result(between);
  t.deepEqual(agent.desired(), ["x"]);
  await agent.close();

  const { agent: next } = await joined(t, { label: agent.label });
  await part("3/3", "c");
  t.is((await bus.result(id)).result.values.length, 3);
  await eventually(() => next.desired().join() === "a,b,c,x");
  const results = await bus.view("tenuto.results");
  const answers = (): number => results.messages.filter(({ key }) => key?.toString() === id).length;
  t.is(answers(), 1);
  await part("3/3", "c");
  await eventually(() => answers() === 2);
});

withKafka("commands that came while no agent was there are applied by the next one, and no others", async (t) => {
  const { agent, bus } = await joined(t);
  const [before, meanwhile] = [newId(), newId()];
  await bus.command(agent.label, { id: before, changes: [dummy("a")] });
  await bus.result(before);
  await agent.close();
  await bus.command(agent.label, { id: meanwhile, changes: [dummy("b")] });
  const { agent: next } = await joined(t, { label: agent.label });
  await bus.result(meanwhile);
  t.deepEqual(next.operations, ["create b"]);
});

withKafka("parts that never complete are told of, and are not read again by the next agent", async (t) => {
  const { agent, bus } = await joined(t, { kafka: { part_timeout: "100ms" } });
  const events = await bus.view("tenuto.events");
  const id = newId();
  await bus.command(agent.label, { id, changes: [dummy("a")] }, { "tenuto-part": "1/2" });
  const told = await eventually(() => events.messages.find((event) => Object(json(event)).key === id));
  t.is(header(told, "ce-type"), "io.tenuto.deadletter");
  t.regex(Object(json(told)).error, /1 of 2 parts/);
  const after = newId();
  await bus.command(agent.label, { id: after, changes: [dummy("b")] });
  await bus.result(after);
  await agent.close();

  const { agent: next } = await joined(t, { label: agent.label });
  await bus.command(agent.label, { id, changes: [dummy("c")] }, { "tenuto-part": "2/2" });
  const last = newId();
  await bus.command(agent.label, { id: last, changes: [dummy("d")] });
  await bus.result(last);
  t.deepEqual(next.desired(), ["d"]);
});

withKafka("a command under way when the agent closes is answered, and not begun again by the next one", async (t) => {
  const { agent, bus } = await joined(t, {
    kafka: { drain_timeout: "60s" },
    configuration: { agent: { close_timeout: "90s" } },
  });
  const release = agent.hold();
  const [held, waiting] = [newId(), newId()];
  await bus.command(agent.label, { id: held, changes: [dummy("a")] });
  await eventually(() => agent.operations.length === 1);
  const closed = agent.close();
  release();
  await closed;
  t.is((await bus.result(held)).result.outcome, "APPLIED");
  await bus.command(agent.label, { id: waiting, changes: [dummy("b")] });
  const { agent: next } = await joined(t, { label: agent.label });
  await bus.result(waiting);
  t.deepEqual([agent.operations, next.operations], [["create a"], ["create b"]]);
});

withKafka("a flood of commands waits at the broker: the agent begins no more than it may have in work", async (t) => {
  const { agent, bus } = await joined(t, { kafka: { max_pending_commands: 16 } });
  const registry = agent.agent.get(ModelRegistry);
  const decode = registry.decodeMessage.bind(registry);
  let begun = 0;
  registry.decodeMessage = (...parameters) => {
    if (parameters[0] === "tenuto.v1.Transaction") begun += 1;
    return decode(...parameters) as never;
  };
  const release = agent.hold();
  const run = newId();
  const flood = Array.from({ length: 500 }, (_, index) => {
    const transaction = { id: `${run}-${index}`, description: "x".repeat(10_000), changes: [dummy(`if${index}`)] };
    return { key: null, value: JSON.stringify(transaction) };
  });
  for (let sent = 0; sent < flood.length; sent += 90) await bus.send(commandsOf(agent), flood.slice(sent, sent + 90));
  await eventually(() => begun === 16);
  agent.tell("eth0", "UP");
  const states = await bus.view("tenuto.state.interface");
  await eventually(() => states.messages.some(({ key }) => key?.toString() === `${agent.label}/eth0`));
  t.is(begun, 16);
  release();
  t.is((await bus.result(`${run}-499`)).result.outcome, "APPLIED");
  t.is(agent.desired().length, 500);
  t.is(agent.health().state, "ok");
});

withKafka("two agents with the same label: one of them says so, and the other takes over when one goes", async (t) => {
  const { agent, bus } = await joined(t);
  const second = await busAgent(t, { label: agent.label, kafka: { brokers: await kafka.brokers() } });
  const reasons = (): string => agent.health().reason + second.health().reason;
  await eventually(() => reasons().includes("another agent with the same label"), { timeout: 60_000 });
  const [both, left] = [newId(), newId()];
  await bus.command(agent.label, { id: both, changes: [dummy("a")] });
  t.is((await bus.result(both)).result.outcome, "APPLIED");
  const working = agent.health().state === "ok" ? agent : second;
  await working.close();
  await bus.command(agent.label, { id: left, changes: [dummy("b")] });
  t.is((await bus.result(left)).result.outcome, "APPLIED");
});
