import test from "ava";
import { BusError } from "#core/errors.js";
import { EventPublisher } from "#core/northbound/index.js";
import { MemoryBus } from "#plugins/memory/index.js";
import { eventually } from "#test/support/eventually.js";
import { set, startAgent } from "./support/agents.js";

function state(name: string, deleted = false) {
  return { kind: "interface", name, deleted, data: { state: { name } } } as const;
}

test("a program that embeds the agent commits, asks and listens on the memory bus", async (t) => {
  const { agent } = await startAgent(t);
  const bus = agent.get(MemoryBus);
  const kinds: string[] = [];
  const unsubscribe = bus.subscribe(({ event }) => kinds.push(event.kind), { kinds: ["transaction"] });
  t.is((await bus.commit({ changes: [set("eth1")] })).outcome, "APPLIED");
  t.deepEqual(
    bus
      .northbound()
      .status()
      .map(({ state: of }) => of),
    ["CONFIGURED"],
  );
  await eventually(() => kinds.length > 0, { what: "the transaction's event" });
  unsubscribe();
  await bus.commit({ changes: [set("eth2")] });
  t.deepEqual(kinds, ["transaction"]);
});

test("the last state of an interface is kept until it is deleted", async (t) => {
  const { agent } = await startAgent(t);
  const bus = agent.get(MemoryBus);
  const publisher = agent.get(EventPublisher);
  publisher.publish(state("eth1"));
  publisher.publish(state("eth2"));
  t.is(bus.lastState("eth1")?.subject, "eth1");
  publisher.publish(state("eth1", true));
  t.is(bus.lastState("eth1"), undefined);
  t.deepEqual(
    bus.lastStates().map(({ subject }) => subject),
    ["eth2"],
  );
});

test("the states kept are bounded: those that changed last stay", async (t) => {
  const { agent } = await startAgent(t, { configuration: { memory: { max_states: 2 }, store: { enabled: false } } });
  const publisher = agent.get(EventPublisher);
  for (const name of ["eth1", "eth2", "eth1", "eth3"]) publisher.publish(state(name));
  t.deepEqual(
    agent
      .get(MemoryBus)
      .lastStates()
      .map(({ subject }) => subject),
    ["eth1", "eth3"],
  );
});

test("a subscriber that throws does not keep the others from listening", async (t) => {
  const { agent } = await startAgent(t);
  const bus = agent.get(MemoryBus);
  const heard: string[] = [];
  bus.subscribe(() => {
    throw new Error("broken subscriber");
  });
  bus.subscribe(({ subject }) => heard.push(subject));
  agent.get(EventPublisher).publish(state("eth1"));
  t.deepEqual(heard, ["eth1"]);
});

test("a closed agent takes no transactions", async (t) => {
  const { agent } = await startAgent(t);
  const bus = agent.get(MemoryBus);
  await agent.close();
  await t.throwsAsync(bus.commit({ changes: [set("eth1")] }), { instanceOf: BusError });
});
