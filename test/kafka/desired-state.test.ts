import { randomUUID } from "node:crypto";
import type { ExecutionContext } from "ava";
import { ModelRegistry } from "#core/model/types.js";
import { Northbound } from "#core/northbound/index.js";
import { eventually } from "#test/support/eventually.js";
import { type BusAgent, busAgent, dummy, healthy, keyOf } from "./support/agent.js";
import { anyKafka, header, type Received, withKafka } from "./support/bus.js";

const kafka = anyKafka();

async function agentOf(t: ExecutionContext, options: { label?: string; kafka?: object } = {}): Promise<BusAgent> {
  const label = options.label ?? `t-${randomUUID().slice(0, 8)}`;
  return await busAgent(t, { label, kafka: { brokers: await kafka.brokers(), ...options.kafka } });
}

async function wants(agent: BusAgent, ...names: readonly string[]): Promise<void> {
  await eventually(
    () => {
      const desired = agent.desired().join();
      if (desired !== names.join()) throw new Error(desired);
      return true;
    },
    { what: `the agent to want ${names.join()}`, timeout: 60_000 },
  );
}

withKafka("the first start creates the topic, and what is written there is applied, changed and deleted", async (t) => {
  const agent = await agentOf(t);
  await healthy(agent);
  const bus = await kafka.bus();
  await bus.want(agent.label, [dummy("a"), dummy("b")]);
  await wants(agent, "a", "b");

  await bus.want(agent.label, [dummy("a", { mtu: 1400 })]);
  const northbound = agent.agent.get(Northbound);
  await eventually(() => Object(northbound.get(keyOf("a"))[0]?.value).mtu === 1400);
  await bus.want(agent.label, [{ key: keyOf("a") }, { key: keyOf("never-there") }]);
  await wants(agent, "b");
  t.is(agent.operations.filter((operation) => operation === "create a").length, 1);
});

withKafka("the topics that an agent creates have the policies of the contract", async (t) => {
  const agent = await agentOf(t);
  await healthy(agent);
  const bus = await kafka.bus();
  const policies = {
    [`tenuto.${agent.label}.config`]: "compact",
    [`tenuto.${agent.label}.commands`]: "delete",
    "tenuto.state.interface": "compact",
    "tenuto.results": "delete",
    "tenuto.events": "delete",
    "tenuto.deadletter": "delete",
  };
  const found = Object.keys(policies).map(async (topic) => [topic, await bus.policyOf(topic)]);
  t.deepEqual(Object.fromEntries(await Promise.all(found)), policies);
});

withKafka("an agent that starts reads the whole topic and applies only what is left at its end", async (t) => {
  const bus = await kafka.bus();
  const label = `t-${randomUUID().slice(0, 8)}`;
  await bus.createTopic(`tenuto.${label}.config`, { "cleanup.policy": "compact" });
  const many = Array.from({ length: 3_000 }, (_, index) => dummy("often", { mtu: 1_000 + index }));
  await bus.want(label, [dummy("gone"), ...many, dummy("stays"), { key: keyOf("gone") }]);
  const first = await agentOf(t, { label });
  await wants(first, "often", "stays");
  t.deepEqual(first.operations.toSorted(), ["create often", "create stays"]);
  await first.close();

  await bus.want(label, [{ key: keyOf("stays") }]);
  const second = await agentOf(t, { label });
  await wants(second, "often");
  t.deepEqual(second.operations, ["create often"]);
});

withKafka("a value may be written in protobuf, and under a key of the first generation", async (t) => {
  const agent = await agentOf(t);
  await healthy(agent);
  const { key, value } = dummy("binary", { mtu: 1400 });
  const bytes = Buffer.from(agent.agent.get(ModelRegistry).encode(key, value, "protobuf"));
  const old = JSON.stringify({ type: 0, name: "old", veth: { peer_if_name: "x" } });
  await (await kafka.bus()).send(`tenuto.${agent.label}.config`, [
    { key, value: bytes },
    { key: `/vnf-agent/${agent.label}/linux/config/v1/interface/old`, value: old },
  ]);
  await wants(agent, "binary", "old");
  t.deepEqual(agent.agent.get(Northbound).get(key), [{ key, value }]);
});

withKafka("a value that can never be applied is a dead letter as it came, and does not block the others", async (t) => {
  const agent = await agentOf(t);
  await healthy(agent);
  const bus = await kafka.bus();
  const topic = `tenuto.${agent.label}.config`;
  const poison = [
    { key: "no/such/kind", value: "{}", headers: { who: "me" } },
    { key: keyOf("bad"), value: Buffer.from([0xff, 0xfe, 0x00]) },
    { key: keyOf("large"), value: "x".repeat(900_000) },
  ];
  await bus.send(topic, poison);
  await bus.want(agent.label, [dummy("good")]);
  await wants(agent, "good");
  const letters = await bus.view("tenuto.deadletter");
  const mine = (): readonly Received[] => letters.messages.filter(({ key }) => key?.toString() === agent.label);
  await eventually(() => mine().length === poison.length);
  const byOffset = mine().toSorted((a, b) => Number(header(a, "origin-offset")) - Number(header(b, "origin-offset")));
  for (const [index, { key, value }] of poison.entries()) {
    t.is(header(byOffset[index], "origin-key"), key);
    t.deepEqual(byOffset[index]?.value, Buffer.from(value));
    t.is(header(byOffset[index], "origin-topic"), topic);
    t.is(header(byOffset[index], "origin-offset"), String(index));
  }
  t.is(header(byOffset[0], "who"), "me");
  t.regex(header(byOffset[0], "error") ?? "", /no\/such\/kind/);
});

withKafka("an empty topic says nothing: what an agent was asked for before stays", async (t) => {
  const agent = await agentOf(t);
  await healthy(agent);
  const bus = await kafka.bus();
  await bus.command(agent.label, { id: randomUUID(), changes: [dummy("by-request")] });
  await wants(agent, "by-request");
  t.is(agent.health().state, "ok");
});

withKafka("a topic with the wrong cleanup policy is named in health, and read all the same", async (t) => {
  const bus = await kafka.bus();
  const label = `t-${randomUUID().slice(0, 8)}`;
  await bus.createTopic(`tenuto.${label}.config`, { "cleanup.policy": "delete" });
  await bus.createTopic(`tenuto.${label}.commands`, { "cleanup.policy": "compact" });
  // A broker does not take a message without a key in a compacted topic.
  await bus.send(`tenuto.${label}.config`, [{ key: null, value: "{}" }]);
  await bus.want(label, [dummy("a")]);
  const agent = await agentOf(t, { label });
  await wants(agent, "a");
  const { state, reason } = agent.health();
  t.is(state, "degraded");
  t.true(reason.includes(`topic tenuto.${label}.config has cleanup.policy=delete, expected compact`), reason);
  await eventually(() =>
    agent.health().reason.includes(`topic tenuto.${label}.commands has cleanup.policy=compact, expected delete`),
  );
  const letters = await bus.view("tenuto.deadletter");
  const letter = await eventually(() => letters.messages.find(({ key }) => key?.toString() === label));
  t.regex(header(letter, "error") ?? "", /without a key/);
});

withKafka("topics that are missing are waited for when they must not be created", async (t) => {
  const agent = await agentOf(t, { kafka: { create_topics: false } });
  const missing = `topic tenuto.${agent.label}.config does not exist, and kafka.create_topics is false`;
  await eventually(() => agent.health().reason.includes(missing), { what: missing });
  const bus = await kafka.bus();
  for (const topic of ["tenuto.results", "tenuto.state.interface", "tenuto.events", "tenuto.deadletter"]) {
    await bus.createTopic(topic, topic === "tenuto.state.interface" ? { "cleanup.policy": "compact" } : {});
  }
  await bus.createTopic(`tenuto.${agent.label}.config`, { "cleanup.policy": "compact" });
  await bus.createTopic(`tenuto.${agent.label}.commands`);
  await healthy(agent);
  t.pass();
});
