import test, { type ExecutionContext } from "ava";
import type { EventEnvelope, Northbound } from "#core/northbound/index.js";
import { eventually } from "#test/support/eventually.js";
import {
  healthOf,
  item,
  key,
  remove,
  ScriptedSource,
  set,
  startAgent,
  type TestAgent,
  temporaryDirectory,
} from "./support/agents.js";
import { Southbound } from "./support/southbound.js";

/** Names of the values whose status says that they are orphaned. */
function orphansOf(northbound: Northbound): readonly string[] {
  const orphaned = northbound.status().filter(({ details }) => details.some((detail) => detail.startsWith("orphaned")));
  return orphaned.map(({ key: of }) => of.slice(of.lastIndexOf("/") + 1));
}

/** The last details that an event told of a value. */
function told(events: readonly EventEnvelope[], name: string): readonly string[] | undefined {
  return events.findLast(({ event }) => event.kind === "value" && event.key === key(name))?.event.data as never;
}

interface LossyAgent extends TestAgent {
  readonly bus: ScriptedSource;
  readonly file: ScriptedSource;
}

/** An agent whose bus had eth1, eth2 and eth3 and now has no more than eth1. */
async function lossyAgent(t: ExecutionContext, southbound = new Southbound(), store?: string): Promise<LossyAgent> {
  const [bus, file] = [new ScriptedSource("bus", 50), new ScriptedSource("file", 10)];
  const agent = await startAgent(t, { southbound, sources: [bus, file], ...(store === undefined ? {} : { store }) });
  await bus.snapshot(item("eth1"), item("eth2", { mtu: 1400 }), item("eth3"));
  southbound.operations.length = 0;
  await bus.lossy(item("eth1"));
  return { ...agent, bus, file };
}

test("what a source has lost stays: status, health and an event say so", async (t) => {
  const { agent, southbound, northbound, events } = await lossyAgent(t);
  t.deepEqual(southbound.operations, []);
  t.deepEqual(southbound.names(), ["eth1", "eth2", "eth3"]);
  t.deepEqual(orphansOf(northbound), ["eth2", "eth3"]);
  t.like(northbound.status({ prefix: key("eth2") })[0], { state: "CONFIGURED" });
  t.regex(
    healthOf(agent),
    /^source bus has lost 2 values: \S*eth2 and others: bus is younger than before\. `tenuto resync --prune --dry-run`/,
  );
  await eventually(() => JSON.stringify(told(events, "eth3")).includes("orphaned since"));
});

test("what is orphaned outlives the agent, and is held as anything that is desired", async (t) => {
  const store = temporaryDirectory(t);
  const { agent, southbound } = await lossyAgent(t, new Southbound(), store);
  const before = healthOf(agent);
  await agent.close();
  southbound.values.delete(key("eth2"));
  const { agent: restarted, northbound } = await startAgent(t, {
    southbound,
    store,
    sources: [new ScriptedSource("bus", 50), new ScriptedSource("file", 10)],
  });
  t.deepEqual(southbound.names(), ["eth1", "eth2", "eth3"]);
  t.deepEqual(orphansOf(northbound), ["eth2", "eth3"]);
  t.is(healthOf(restarted), before);
});

/** What ends it, and what of eth2 and eth3 is there and orphaned then. */
const ENDS: readonly {
  readonly what: string;
  readonly act: (agent: LossyAgent) => Promise<unknown>;
  readonly there: readonly string[];
  readonly orphaned: readonly string[];
}[] = [
  {
    what: "the source sets it again, as it was",
    act: ({ bus }) => bus.change(item("eth2", { mtu: 1400 })),
    there: ["eth1", "eth2", "eth3"],
    orphaned: ["eth3"],
  },
  {
    what: "the source sets it to what is refused",
    act: ({ bus }) => bus.change(item("eth2", { mtu: 9001 })),
    there: ["eth1", "eth2", "eth3"],
    orphaned: ["eth3"],
  },
  {
    what: "the source deletes it",
    act: ({ bus }) => bus.change({ key: key("eth2"), value: undefined }),
    there: ["eth1", "eth3"],
    orphaned: ["eth3"],
  },
  {
    what: "a snapshot has it again",
    act: ({ bus }) => bus.lossy(item("eth1"), item("eth3")),
    there: ["eth1", "eth2", "eth3"],
    orphaned: ["eth2"],
  },
  {
    what: "a snapshot says that it is complete",
    act: ({ bus }) => bus.snapshot(item("eth1")),
    there: ["eth1"],
    orphaned: [],
  },
  {
    what: "a source that goes on without a loss gives up what it gives up, not what it had lost before",
    act: ({ bus }) => bus.continuous(),
    there: ["eth2", "eth3"],
    orphaned: ["eth2", "eth3"],
  },
  {
    what: "another source sets it, be its priority lower",
    act: async ({ file }) => {
      await file.change(item("eth2", { mtu: 1300 }));
      await file.change({ key: key("eth2"), value: undefined });
    },
    there: ["eth1", "eth3"],
    orphaned: ["eth3"],
  },
  {
    what: "another source deletes what it never had",
    act: ({ file }) => file.change({ key: key("eth2"), value: undefined }),
    there: ["eth1", "eth2", "eth3"],
    orphaned: ["eth2", "eth3"],
  },
  {
    what: "a request sets it and deletes it",
    act: async ({ commit }) => {
      await commit({ changes: [set("eth2", { mtu: 1300 })] });
      await commit({ changes: [remove("eth2")] });
    },
    there: ["eth1", "eth3"],
    orphaned: ["eth3"],
  },
  {
    what: "a request deletes it",
    act: ({ commit }) => commit({ changes: [remove("eth2")] }),
    there: ["eth1", "eth3"],
    orphaned: ["eth3"],
  },
  {
    what: "a REPLACE speaks for the requests alone",
    act: ({ commit }) => commit({ mode: "REPLACE", changes: [set("eth4")] }),
    there: ["eth1", "eth2", "eth3", "eth4"],
    orphaned: ["eth2", "eth3"],
  },
  {
    what: "a deletion that is refused, simulated, reverted or not confirmed changes nothing",
    act: async ({ southbound, commit, northbound }) => {
      const changes = [remove("eth2")];
      await commit({ changes: [...changes, set("eth4", { mtu: 9001 })] });
      await commit({ changes, dry_run: true });
      southbound.faults.set("eth4", "no");
      await commit({ changes: [...changes, set("eth4")], atomic: true });
      await commit({ id: "u", changes, confirm_timeout: "60s" });
      await northbound.cancel("u");
    },
    there: ["eth1", "eth2", "eth3"],
    orphaned: ["eth2", "eth3"],
  },
  {
    what: "what the source says while a deletion waits to be confirmed is not undone with it",
    act: async ({ bus, commit, northbound }) => {
      await commit({ id: "u", changes: [remove("eth2"), remove("eth3")], confirm_timeout: "60s" });
      await bus.change({ key: key("eth2"), value: undefined }, item("eth3"));
      await northbound.cancel("u");
    },
    there: ["eth1", "eth3"],
    orphaned: [],
  },
];

for (const { what, act, there, orphaned } of ENDS) {
  test(`orphaned: ${what}`, async (t) => {
    const store = temporaryDirectory(t);
    const agent = await lossyAgent(t, new Southbound(), store);
    await act(agent);
    const { southbound, northbound } = agent;
    t.deepEqual(southbound.names(), there);
    t.deepEqual(orphansOf(northbound), orphaned);
    t.is(healthOf(agent.agent) === "", orphaned.length === 0);
    await agent.agent.close();
    const restarted = await startAgent(t, {
      southbound,
      store,
      sources: [new ScriptedSource("bus", 50), new ScriptedSource("file", 10)],
    });
    t.deepEqual(southbound.names(), there, "after a restart");
    t.deepEqual(orphansOf(restarted.northbound), orphaned, "after a restart");
  });
}

/** What is southbound of an earlier run, without a store that knows of it. */
function leftBehind(...names: readonly string[]): Southbound {
  const southbound = new Southbound();
  for (const name of names) southbound.values.set(key(name), { name, type: "DUMMY" });
  return southbound;
}

test("found without a store that knows of it: it stays, whatever comes, until somebody speaks of it", async (t) => {
  const southbound = leftBehind("eth1", "eth2", "eth3");
  const store = temporaryDirectory(t);
  const [a, b] = [new ScriptedSource("a", 50), new ScriptedSource("b", 50)];
  const { agent, northbound, commit } = await startAgent(t, { southbound, store, sources: [a, b] });
  t.like(northbound.status(), [{ state: "DISCOVERED" }, { state: "DISCOVERED" }, { state: "DISCOVERED" }]);
  t.deepEqual(orphansOf(northbound), ["eth1", "eth2", "eth3"]);
  t.regex(healthOf(agent), /^3 values found that nobody asks for: \S*eth1 and others: the store is new\./);
  t.deepEqual(northbound.get(), []);

  t.like(await commit({ changes: [set("eth1")] }), { outcome: "APPLIED", values: [{ state: "CONFIGURED" }] });
  await a.snapshot(item("eth4"));
  await b.snapshot();
  await northbound.resync({});
  await northbound.resync({ downstream: true });
  t.deepEqual(southbound.operations, ["create eth4"]);

  const result = await commit({ changes: [remove("eth2")] });
  t.like(result, { outcome: "APPLIED", values: [{ key: key("eth2"), state: "REMOVED" }] });
  t.deepEqual(southbound.operations, ["create eth4", "delete eth2"]);
  await agent.close();
  const restarted = await startAgent(t, { southbound, store, sources: [a, b] });
  t.deepEqual(southbound.names(), ["eth1", "eth3", "eth4"]);
  t.regex(healthOf(restarted.agent), /^1 value found that nobody asks for: \S*eth3: the store is new\./);
});

test("found without a store that knows of it: it goes when everybody has said that they are complete", async (t) => {
  const southbound = leftBehind("eth1", "eth2");
  const bus = new ScriptedSource("bus", 50);
  const { agent, commit } = await startAgent(t, { southbound, sources: [bus] });
  await commit({ mode: "REPLACE", changes: [set("eth1")] });
  await bus.lossy();
  await bus.continuous();
  t.deepEqual(southbound.names(), ["eth1", "eth2"]);
  await bus.snapshot();
  await eventually(() => southbound.names().join() === "eth1" && healthOf(agent) === "");
});

test("when no orphan is left the store is complete, and the next start knows what was given up", async (t) => {
  const southbound = leftBehind("eth1");
  const store = temporaryDirectory(t);
  const { agent, commit } = await startAgent(t, { southbound, store });
  await commit({ changes: [set("eth1")] });
  t.is(healthOf(agent), "");
  await agent.close();
  southbound.values.set(key("eth2"), { name: "eth2", type: "DUMMY" });
  await startAgent(t, { southbound, store });
  t.deepEqual(southbound.names(), ["eth1"]);
});

test("a prune shows what would go and who has lost it, and then removes exactly that", async (t) => {
  const southbound = leftBehind("eth9");
  const { agent, northbound, commit } = await lossyAgent(t, southbound, temporaryDirectory(t));
  await commit({ changes: [set("eth4")] });
  const plan = await northbound.resync({ prune: true, dry_run: true });
  t.is(plan.outcome, "PLANNED");
  t.deepEqual(
    plan.operations.map(({ operation, key: of }) => [operation, of]),
    ["eth2", "eth3", "eth9"].map((name) => ["DELETE", key(name)]),
  );
  t.regex(plan.values[0]?.details[0] ?? "", /source bus has lost it: bus is younger than before$/);
  t.regex(plan.values[2]?.details[0] ?? "", /found, and nobody asks for it: the store is new$/);
  t.deepEqual(southbound.names(), ["eth1", "eth2", "eth3", "eth4", "eth9"]);

  const pruned = await northbound.resync({ prune: true });
  t.is(pruned.outcome, "APPLIED");
  t.deepEqual(
    pruned.values.map(({ state, details }) => [state, details.length]),
    [
      ["REMOVED", 1],
      ["REMOVED", 1],
      ["REMOVED", 1],
    ],
  );
  t.deepEqual(southbound.names(), ["eth1", "eth4"]);
  t.is(healthOf(agent), "");
  t.like(northbound.history().at(-1), { id: pruned.id, outcome: "APPLIED" });
  t.like(await northbound.resync({ prune: true }), { outcome: "APPLIED", values: [] });
  await t.throwsAsync(northbound.resync({ dry_run: true }), { code: "BAD_ARGUMENT" });
});

test("what a prune gives up of one source falls back to what another wants", async (t) => {
  const { southbound, northbound, bus, file } = await lossyAgent(t);
  await bus.snapshot(item("eth1", { mtu: 1450 }));
  await file.snapshot(item("eth1", { mtu: 1410 }));
  await bus.lossy();
  t.like(southbound.values.get(key("eth1")), { mtu: 1450 });
  await northbound.resync({ prune: true });
  t.like(southbound.values.get(key("eth1")), { mtu: 1410 });
});

test("what was found comes back when the transaction that took it over or removed it is not confirmed", async (t) => {
  const southbound = leftBehind("eth1", "eth2");
  const store = temporaryDirectory(t);
  const { agent, northbound, commit } = await startAgent(t, { southbound, store });
  await commit({ id: "u", changes: [set("eth1", { mtu: 1300 }), remove("eth2")], confirm_timeout: "60s" });
  await northbound.cancel("u");
  t.deepEqual(
    [...southbound.values.values()],
    [
      { name: "eth1", type: "DUMMY" },
      { name: "eth2", type: "DUMMY" },
    ],
  );
  t.deepEqual(orphansOf(northbound), ["eth1", "eth2"]);
  await agent.close();
  const restarted = await startAgent(t, { southbound, store });
  t.deepEqual(southbound.names(), ["eth1", "eth2"]);
  t.deepEqual(orphansOf(restarted.northbound), ["eth1", "eth2"]);
});
