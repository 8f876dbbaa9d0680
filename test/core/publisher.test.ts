import test from "ava";
import { type AgentEvent, type EventEnvelope, EventPublisher, StateSink } from "#core/northbound/index.js";
import { inject, type Plugin, type PluginClass, plugin, provide } from "#core/plugin/index.js";
import { agentOf, logLines } from "./support/agents.js";

/** A plugin with a sink that keeps what it gets, besides health. */
function sinkPlugin(
  name: string,
  received: EventEnvelope[],
  onEvent: (envelope: EventEnvelope) => void = () => undefined,
): PluginClass {
  @plugin({ name, provides: [provide(StateSink, (one: SinkPlugin) => one.sink)] })
  class SinkPlugin {
    readonly sink: StateSink = {
      name,
      publish: (envelope) => {
        if (envelope.event.kind === "health") return;
        received.push(envelope);
        onEvent(envelope);
      },
    };
  }
  return SinkPlugin;
}

@plugin({ name: "eager" })
class EagerPlugin implements Plugin {
  constructor(@inject(EventPublisher) private readonly publisher: EventPublisher) {}

  init(): void {
    this.publisher.publish(link("early"));
  }

  close(): void {
    this.publisher.publish(link("late"));
  }
}

function link(name: string, deleted = false): AgentEvent {
  return { kind: "interface", name, deleted, data: { type: "UPDOWN", state: { name } } };
}

const subjects = (envelopes: readonly EventEnvelope[]): readonly string[] => envelopes.map(({ subject }) => subject);

test("every sink gets every event, with one envelope of CloudEvents attributes", async (t) => {
  const [one, two]: [EventEnvelope[], EventEnvelope[]] = [[], []];
  await using agent = agentOf([sinkPlugin("one", one), sinkPlugin("two", two)]);
  await agent.start();
  agent.get(EventPublisher).publish(link("veth1"));
  const envelope = one[0]!;
  t.is(two[0], envelope);
  t.like(envelope, { source: "/tenuto/t1", type: "io.tenuto.interface.state", subject: "veth1" });
  t.true(envelope.id.startsWith(`${agent.info.instance}-`));
  t.is(new Date(envelope.time).toISOString(), envelope.time);
});

const status = { key: "k", state: "CONFIGURED", error: "", last_operation: "CREATE", details: [] } as const;
const result = { id: "9f0c", seq: 1, outcome: "APPLIED", error: "", values: [], operations: [] } as const;

for (const [event, type, subject] of [
  [link("veth1"), "io.tenuto.interface.state", "veth1"],
  [{ kind: "value", key: "k", data: status }, "io.tenuto.value.status", "k"],
  [
    {
      kind: "drift",
      key: "k",
      data: { key: "k", before: {}, keys: ["k"], policy: "ENFORCE", repair_in_ms: 0, times: 1, fight: false },
    },
    "io.tenuto.value.drift",
    "k",
  ],
  [{ kind: "transaction", id: "9f0c", data: result }, "io.tenuto.transaction.finished", "9f0c"],
  [{ kind: "ifmgr", name: "eth0", data: {} }, "io.tenuto.ifmgr.state", "eth0"],
  [
    {
      kind: "deadletter",
      origin: "tenuto-config@17",
      data: { key: "k", origin: "tenuto-config@17", error: "no", payload: "" },
    },
    "io.tenuto.deadletter",
    "tenuto-config@17",
  ],
] as const satisfies readonly (readonly [AgentEvent, string, string])[]) {
  test(`an event of kind ${event.kind} has type ${type}`, async (t) => {
    const received: EventEnvelope[] = [];
    await using agent = agentOf([sinkPlugin("sink", received)]);
    await agent.start();
    agent.get(EventPublisher).publish(event);
    t.like(received[0], { type, subject });
  });
}

test("ids are different for every event and every start", async (t) => {
  const received: EventEnvelope[] = [];
  for (const label of ["t1", "t1"]) {
    await using agent = agentOf([sinkPlugin("sink", received)], { label });
    await agent.start();
    for (const name of ["a", "b", "c"]) agent.get(EventPublisher).publish(link(name));
  }
  t.is(new Set(received.map(({ id }) => id)).size, 6);
});

test("a sink hears nothing before every plugin is initialised, then what it missed, and nothing once it is closed", async (t) => {
  const received: EventEnvelope[] = [];
  const agent = agentOf([EagerPlugin, sinkPlugin("sink", received)]);
  await agent.start();
  t.deepEqual(subjects(received), ["early"]);
  await agent.close();
  t.deepEqual(subjects(received), ["early"]);
});

test("a sink that throws is logged, and the others still get the event", async (t) => {
  const received: EventEnvelope[] = [];
  const log = logLines();
  const broken = sinkPlugin("broken", [], () => {
    throw new Error("no client");
  });
  await using agent = agentOf([broken, sinkPlugin("sink", received)], { logStream: log.stream });
  await agent.start();
  agent.get(EventPublisher).publish(link("veth1"));
  t.deepEqual(subjects(received), ["veth1"]);
  t.true(log.records.some(({ level, sink }) => level === 50 && sink === "broken"));
});

test("an event that a sink causes comes after the one it caused it with, for every sink", async (t) => {
  const [first, second]: [EventEnvelope[], EventEnvelope[]] = [[], []];
  let publisher: EventPublisher | undefined;
  const causing = sinkPlugin("causing", first, ({ subject }) => {
    if (subject === "cause") publisher?.publish(link("effect"));
  });
  await using agent = agentOf([causing, sinkPlugin("second", second)]);
  await agent.start();
  publisher = agent.get(EventPublisher);
  publisher.publish(link("cause"));
  t.deepEqual(
    [subjects(first), subjects(second)],
    [
      ["cause", "effect"],
      ["cause", "effect"],
    ],
  );
});

test("the last event of every interface is kept until the interface is deleted", async (t) => {
  await using agent = agentOf([]);
  await agent.start();
  const publisher = agent.get(EventPublisher);
  for (const event of [link("a"), link("b"), link("a"), link("b", true)]) publisher.publish(event);
  t.deepEqual(subjects(publisher.currentInterfaces()), ["a"]);
});

test("a sink that looks at the current interfaces while it hears of a deletion still finds it there", async (t) => {
  let current: readonly EventEnvelope[] = [];
  let publisher: EventPublisher | undefined;
  const looking = sinkPlugin("looking", [], () => {
    current = publisher?.currentInterfaces() ?? [];
  });
  await using agent = agentOf([looking]);
  await agent.start();
  publisher = agent.get(EventPublisher);
  publisher.publish(link("a", true));
  t.deepEqual(subjects(current), ["a"]);
  t.deepEqual(publisher.currentInterfaces(), []);
});
