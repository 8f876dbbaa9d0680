import test from "ava";
import { InvalidInputError } from "#core/errors.js";
import { eventually } from "#test/support/eventually.js";
import { item, key, remove, ScriptedSource, set, startAgent, temporaryDirectory } from "./support/agents.js";
import { Southbound } from "./support/southbound.js";

test("a transaction that is not confirmed in time is reverted", async (t) => {
  const { commit, southbound, events } = await startAgent(t);
  await commit({ changes: [set("eth1", { mtu: 1400 })] });
  const result = await commit({
    id: "a",
    confirm_timeout: "100ms",
    changes: [set("eth1", { mtu: 1500 }), set("eth2")],
  });
  t.is(result.outcome, "UNCONFIRMED");
  t.deepEqual(southbound.names(), ["eth1", "eth2"]);
  await eventually(() => southbound.names().join() === "eth1");
  t.like(southbound.values.get(key("eth1")), { mtu: 1400 });
  const answer = await eventually(async () => {
    const again = await commit({ id: "a", changes: [set("eth1")] });
    return again.outcome === "REVERTED" && again;
  });
  t.regex(answer.error, /not confirmed within 100 ms/);
  await eventually(() => events.some(({ event }) => event.kind === "transaction" && event.data.outcome === "REVERTED"));
});

test("confirmed in time it stays, also over a restart; confirming again is harmless", async (t) => {
  const store = temporaryDirectory(t);
  const southbound = new Southbound();
  const { commit, northbound, agent } = await startAgent(t, { southbound, store });
  await commit({ id: "a", confirm_timeout: "1m0.5s", changes: [set("eth1")] });
  t.is((await northbound.confirm("a")).outcome, "APPLIED");
  t.is((await northbound.confirm("a")).outcome, "APPLIED");
  t.is((await commit({ id: "a", changes: [set("eth2")] })).outcome, "APPLIED");
  await agent.close();
  await startAgent(t, { southbound, store });
  t.deepEqual(southbound.names(), ["eth1"]);
});

test("cancelled it is reverted at once", async (t) => {
  const { commit, northbound, southbound } = await startAgent(t);
  await commit({ id: "a", confirm_timeout: "60s", changes: [set("eth1")] });
  t.like(await northbound.cancel("a"), { outcome: "REVERTED", error: "cancelled" });
  t.deepEqual(southbound.names(), []);
  t.is((await northbound.cancel("a")).outcome, "REVERTED");
  await t.throwsAsync(northbound.confirm("a"), {
    instanceOf: InvalidInputError,
    message: /cannot confirm a: .*REVERTED/,
  });
});

test("what was never sent can neither be confirmed nor cancelled", async (t) => {
  const { northbound } = await startAgent(t);
  for (const decide of ["confirm", "cancel"] as const) {
    const error = await t.throwsAsync(northbound[decide]("nothing"), { instanceOf: InvalidInputError });
    t.like(error, { code: "UNKNOWN_TRANSACTION" });
    const unnamed = await t.throwsAsync(northbound[decide](""), { instanceOf: InvalidInputError });
    t.like(unnamed, { code: "MISSING_FIELD", field: "id" });
  }
});

test("a restart of the agent reverts what was not confirmed, and its answer says so", async (t) => {
  const store = temporaryDirectory(t);
  const southbound = new Southbound();
  const before = await startAgent(t, { southbound, store });
  await before.commit({ changes: [set("eth1", { mtu: 1400 })] });
  await before.commit({ id: "a", confirm_timeout: "60s", changes: [set("eth1", { mtu: 1500 }), set("eth2")] });
  await before.agent.close();
  const { commit } = await startAgent(t, { southbound, store });
  t.deepEqual([...southbound.values.values()], [{ name: "eth1", type: "DUMMY", mtu: 1400 }]);
  const answer = await commit({ id: "a", changes: [set("eth2")] });
  t.is(answer.outcome, "REVERTED");
  t.regex(answer.error, /restarted before it was confirmed/);
  t.deepEqual([answer.values, answer.operations], [[], []]);
});

test("while it waits nobody else changes its keys by request", async (t) => {
  const { commit, northbound } = await startAgent(t);
  await commit({ id: "a", confirm_timeout: "60s", changes: [set("eth1")] });
  const result = await commit({ changes: [set("eth2"), set("eth1", { mtu: 1400 })] });
  t.is(result.outcome, "REJECTED");
  t.regex(result.error, /eth1: transaction a changed it and waits/);
  t.is((await commit({ changes: [set("eth2")] })).outcome, "APPLIED");
  await northbound.confirm("a");
  t.is((await commit({ changes: [set("eth1", { mtu: 1400 })] })).outcome, "APPLIED");
});

test("reverting gives way to what a source wants by then", async (t) => {
  const bus = new ScriptedSource("bus", 50);
  const { commit, northbound, southbound } = await startAgent(t, { sources: [bus] });
  await bus.snapshot(item("eth1", { mtu: 1401 }));
  await commit({ id: "a", confirm_timeout: "60s", changes: [set("eth1", { mtu: 1500 })] });
  await bus.change(item("eth1", { mtu: 1402 }));
  t.like(southbound.values.get(key("eth1")), { mtu: 1500 });
  await northbound.cancel("a");
  t.like(southbound.values.get(key("eth1")), { mtu: 1402 });
});

test("a REPLACE does not bring back what a waiting transaction deleted, and waits for it", async (t) => {
  const { commit, southbound, northbound } = await startAgent(t);
  await commit({ changes: [set("eth1"), set("eth2")] });
  await commit({ id: "u", confirm_timeout: "60s", changes: [remove("eth1")] });
  const refused = await commit({ mode: "REPLACE", changes: [set("eth2")] });
  t.is(refused.outcome, "REJECTED");
  t.regex(refused.error, /eth1: transaction u changed it and waits to be confirmed or cancelled/);
  await northbound.cancel("u");
  t.is((await commit({ mode: "REPLACE", changes: [set("eth2")] })).outcome, "APPLIED");
  t.deepEqual(southbound.names(), ["eth2"]);
});
