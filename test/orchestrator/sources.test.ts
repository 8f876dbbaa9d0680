import test from "ava";
import { BugError } from "#core/errors.js";
import { healthOf, item, key, remove, ScriptedSource, set, startAgent, temporaryDirectory } from "./support/agents.js";
import { Southbound } from "./support/southbound.js";

function mtuOf(southbound: Southbound, name: string): unknown {
  const value = southbound.values.get(key(name));
  return value !== undefined && "mtu" in value ? value.mtu : undefined;
}

test("of two sources that set the same key the higher priority wins, and a withdrawn value falls back", async (t) => {
  const bus = new ScriptedSource("bus", 50);
  const file = new ScriptedSource("file", 10);
  const { southbound, commit, northbound } = await startAgent(t, { sources: [file, bus] });
  await file.snapshot(item("eth1", { mtu: 1410 }), item("eth2"));
  await bus.snapshot(item("eth1", { mtu: 1450 }));
  t.is(mtuOf(southbound, "eth1"), 1450);
  await commit({ changes: [set("eth1", { mtu: 1500 })] });
  t.is(mtuOf(southbound, "eth1"), 1500);
  t.deepEqual(northbound.get(key("eth1")), [{ key: key("eth1"), value: { name: "eth1", type: "DUMMY", mtu: 1500 } }]);

  await commit({ changes: [remove("eth1")] });
  t.is(mtuOf(southbound, "eth1"), 1450);
  await bus.change({ key: key("eth1"), value: undefined });
  t.is(mtuOf(southbound, "eth1"), 1410);
  await file.snapshot(item("eth2"));
  t.deepEqual(southbound.names(), ["eth2"]);
  t.false(southbound.operations.includes("delete eth2"));
});

test("two sources of the same priority: the first in the flavor wins, whoever speaks first", async (t) => {
  const [first, second] = [new ScriptedSource("first", 50), new ScriptedSource("second", 50)];
  const { southbound } = await startAgent(t, { sources: [first, second] });
  await second.snapshot(item("eth1", { mtu: 1402 }));
  t.is(mtuOf(southbound, "eth1"), 1402);
  await first.snapshot(item("eth1", { mtu: 1401 }));
  t.is(mtuOf(southbound, "eth1"), 1401);
  await second.change(item("eth1", { mtu: 1403 }));
  t.is(mtuOf(southbound, "eth1"), 1401);
});

test("a request that a source overrides is told so", async (t) => {
  const boss = new ScriptedSource("boss", 200);
  const { commit, southbound } = await startAgent(t, { sources: [boss] });
  await boss.snapshot(item("eth1", { mtu: 1400 }));
  const result = await commit({ changes: [set("eth1", { mtu: 1500 })] });
  t.is(result.outcome, "APPLIED");
  t.deepEqual(result.values[0]?.details, ["set by source boss"]);
  t.is(mtuOf(southbound, "eth1"), 1400);
});

test("a snapshot replaces what the same source said before, and nothing else", async (t) => {
  const [a, b] = [new ScriptedSource("a", 50), new ScriptedSource("b", 50)];
  const { southbound, commit } = await startAgent(t, { sources: [a, b] });
  await commit({ changes: [set("requested")] });
  await a.snapshot(item("a1"), item("a2"));
  await b.snapshot(item("b1"));
  await a.snapshot(item("a2"), item("a3"));
  t.deepEqual(southbound.names(), ["a2", "a3", "b1", "requested"]);
  await commit({ mode: "REPLACE", changes: [] });
  t.deepEqual(southbound.names(), ["a2", "a3", "b1"]);
});

test("the same snapshot again does nothing", async (t) => {
  const bus = new ScriptedSource("bus", 50);
  const { southbound, northbound } = await startAgent(t, { sources: [bus] });
  await bus.snapshot(item("eth1"), item("eth2"));
  const transactions = northbound.history().length;
  const operations = southbound.operations.length;
  t.like(await bus.snapshot(item("eth2"), item("eth1")), { outcome: "APPLIED", seq: 0 });
  t.is(northbound.history().length, transactions);
  t.is(southbound.operations.length, operations);
});

test("changes that come in a flood are applied together, the last one of a key", async (t) => {
  const bus = new ScriptedSource("bus", 50);
  const { southbound, northbound } = await startAgent(t, { sources: [bus] });
  await bus.snapshot();
  const before = northbound.history().length;
  const mtus = Array.from({ length: 200 }, (_, index) => 1000 + index);
  const results = await Promise.all(mtus.map((mtu) => bus.change(item("eth1", { mtu }))));
  t.true(results.every(({ outcome }) => outcome === "APPLIED"));
  t.is(mtuOf(southbound, "eth1"), 1199);
  t.true(northbound.history().length - before <= 3);
});

test("an item that can never be applied is a dead letter, and the rest is applied", async (t) => {
  const bus = new ScriptedSource("bus", 50);
  const { southbound, events } = await startAgent(t, { sources: [bus] });
  const result = await bus.snapshot(
    item("eth1"),
    { key: "config/nonsense", value: undefined, origin: "bucket@7" },
    { key: key("eth2"), value: new TextEncoder().encode("{"), origin: "bucket@8" },
    { key: key("eth3"), value: new Uint8Array([0xff, 0xfe]), contentType: "application/x-protobuf" },
    item("eth4", { mtu: 9001 }),
  );
  t.deepEqual(southbound.names(), ["eth1"]);
  t.is(result.outcome, "PARTIAL");
  const letters = events.flatMap(({ event }) => (event.kind === "deadletter" ? [event.data] : []));
  t.deepEqual(
    letters.map(({ key: of, origin, payload }) => [of, origin, payload]),
    [
      ["config/nonsense", "bucket@7", ""],
      [key("eth2"), "bucket@8", "{"],
      [key("eth3"), "bus", "//4="],
      [key("eth4"), "bus", '{"name":"eth4","type":"DUMMY","mtu":9001}'],
    ],
  );
  t.regex(letters[3]?.error ?? "", /eth4: mtu: was 9001/);
});

test("a bad item leaves the value that its source had set before", async (t) => {
  const bus = new ScriptedSource("bus", 50);
  const { southbound } = await startAgent(t, { sources: [bus] });
  await bus.snapshot(item("eth1", { mtu: 1400 }));
  await bus.change({ key: key("eth1"), value: { name: "eth1", mtu: "big" } });
  t.is(mtuOf(southbound, "eth1"), 1400);
  await bus.snapshot({ key: key("eth1"), value: { name: "eth1", mtu: "big" } });
  t.is(mtuOf(southbound, "eth1"), 1400);
});

test("an invalid value leaves what was there before, also over a restart, and is forgotten with its item", async (t) => {
  const store = temporaryDirectory(t);
  const southbound = new Southbound();
  const bus = new ScriptedSource("bus", 50);
  const before = await startAgent(t, { southbound, store, sources: [bus] });
  await bus.snapshot(item("eth1", { mtu: 1400 }));
  await bus.snapshot(item("eth1", { mtu: 9001 }), item("eth2", { mtu: 9001 }));
  t.deepEqual(
    before.northbound.status().map(({ state }) => state),
    ["INVALID", "INVALID"],
  );
  t.is(mtuOf(southbound, "eth1"), 1400);
  await bus.snapshot(item("eth1", { mtu: 1400 }));
  t.like(before.northbound.status(), [{ key: key("eth1"), state: "CONFIGURED" }]);
  await bus.change(item("eth1", { mtu: 9001 }));
  await before.agent.close();
  southbound.operations.length = 0;
  await startAgent(t, { southbound, store, sources: [new ScriptedSource("bus", 50)] });
  t.is(mtuOf(southbound, "eth1"), 1400);
  t.deepEqual(southbound.operations, []);
});

test("what a source said outlives the agent, so that its bus may be away", async (t) => {
  const store = temporaryDirectory(t);
  const southbound = new Southbound();
  const before = new ScriptedSource("bus", 50);
  const { agent } = await startAgent(t, { southbound, store, sources: [before] });
  await before.snapshot(item("eth1"), item("eth2"));
  await agent.close();

  southbound.values.delete(key("eth2"));
  const silent = new ScriptedSource("bus", 50);
  await startAgent(t, { southbound, store, sources: [silent] });
  t.deepEqual(southbound.names(), ["eth1", "eth2"]);
  t.deepEqual(southbound.operations, ["create eth1", "create eth2", "create eth2"]);
  await silent.snapshot(item("eth2"));
  t.deepEqual(southbound.names(), ["eth2"]);
});

test("what a source desired that is gone from the flavor stays, is told, and is its own again when it comes back", async (t) => {
  const store = temporaryDirectory(t);
  const southbound = new Southbound();
  const [bus, file] = [new ScriptedSource("bus", 50), new ScriptedSource("file", 10)];
  const first = await startAgent(t, { southbound, store, sources: [bus, file] });
  await bus.snapshot(item("eth1", { mtu: 1450 }));
  await file.snapshot(item("eth1", { mtu: 1410 }));
  await first.agent.close();

  const second = await startAgent(t, { southbound, store, sources: [new ScriptedSource("file", 10)] });
  t.is(mtuOf(southbound, "eth1"), 1450);
  t.regex(
    second.northbound.status()[0]?.details[0] ?? "",
    /^orphaned since .*: source bus has lost it: the source is not in the flavor any more$/,
  );
  t.regex(healthOf(second.agent), /source bus has lost 1 value: .*eth1: the source is not in the flavor/);
  await second.agent.close();

  const back = new ScriptedSource("bus", 50);
  const third = await startAgent(t, { southbound, store, sources: [back, new ScriptedSource("file", 10)] });
  t.is(healthOf(third.agent), "");
  await back.continuous();
  t.is(mtuOf(southbound, "eth1"), 1410);
});

test("two sources with one name are refused at the start", async (t) => {
  const error = await t.throwsAsync(startAgent(t, { sources: [new ScriptedSource("store", 1)] }));
  t.true(error?.cause instanceof BugError);
  t.regex(error?.message ?? "", /a source of desired state is named "store"/);
});

test("with its memory, a restarted agent removes what was given up in the meantime, and touches nothing else", async (t) => {
  const store = temporaryDirectory(t);
  const southbound = new Southbound();
  const { agent, commit } = await startAgent(t, { southbound, store });
  await commit({ changes: [set("eth1"), set("eth2")] });
  await agent.close();
  southbound.values.set(key("orphan"), { name: "orphan", type: "DUMMY" });
  southbound.operations.length = 0;
  const { northbound } = await startAgent(t, { southbound, store });
  t.deepEqual(southbound.operations, ["delete orphan"]);
  t.deepEqual(
    northbound.status().map(({ state }) => state),
    ["CONFIGURED", "CONFIGURED"],
  );
});
