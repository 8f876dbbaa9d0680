import test from "ava";
import type { Transaction } from "#core/northbound/index.js";
import { eventually } from "#test/support/eventually.js";
import { key, remove, set, startAgent, temporaryDirectory } from "./support/agents.js";
import { Southbound } from "./support/southbound.js";

test("a transaction is applied, and the answer has the state of every value and every operation", async (t) => {
  const { commit, southbound } = await startAgent(t);
  const result = await commit({ id: "a", changes: [set("eth1", { mtu: 1400 }), set("eth2")] });
  t.like(result, { id: "a", outcome: "APPLIED", error: "" });
  t.true(result.seq > 0);
  t.deepEqual(result.values, [
    { key: key("eth1"), state: "CONFIGURED", error: "", last_operation: "CREATE", details: [] },
    { key: key("eth2"), state: "CONFIGURED", error: "", last_operation: "CREATE", details: [] },
  ]);
  t.deepEqual(
    result.operations.map(({ operation, key, state }) => [operation, key, state]),
    [
      ["CREATE", key("eth1"), "CONFIGURED"],
      ["CREATE", key("eth2"), "CONFIGURED"],
    ],
  );
  t.deepEqual(southbound.names(), ["eth1", "eth2"]);
});

test("a value that waits for another is PENDING, says on what, and the transaction counts as applied", async (t) => {
  const { commit, northbound, southbound } = await startAgent(t);
  const result = await commit({ changes: [set("eth1", { vrf_master_interface: "red" })] });
  t.is(result.outcome, "APPLIED");
  t.like(result.values[0], { state: "PENDING", details: ["vrf red"] });
  t.deepEqual(
    northbound.status({ state: "pending" }).map((status) => status.key),
    [key("eth1")],
  );
  await commit({ changes: [set("red")] });
  t.deepEqual(southbound.names(), ["eth1", "red"]);
  t.deepEqual(northbound.status({ state: "pending" }), []);
});

test("a value that fails makes the transaction PARTIAL, the others are applied", async (t) => {
  const southbound = new Southbound();
  southbound.faults.set("bad", "the kernel said no");
  const { commit, northbound } = await startAgent(t, { southbound });
  const result = await commit({ changes: [set("bad"), set("good")] });
  t.is(result.outcome, "PARTIAL");
  t.regex(result.error, /bad.*the kernel said no/);
  t.like(result.values[0], { key: key("bad"), error: "the kernel said no" });
  t.like(result.values[1], { key: key("good"), state: "CONFIGURED" });
  t.like(northbound.status({ state: "failed" }), [{ key: key("bad"), state: "RETRYING", error: "the kernel said no" }]);
});

test("an atomic transaction that fails leaves nothing behind, southbound and in what is desired", async (t) => {
  const southbound = new Southbound();
  southbound.faults.set("bad", "the kernel said no");
  const { commit, northbound } = await startAgent(t, { southbound });
  await commit({ changes: [set("eth1", { mtu: 1400 })] });
  const result = await commit({ atomic: true, changes: [set("eth1", { mtu: 1500 }), set("good"), set("bad")] });
  t.is(result.outcome, "REVERTED");
  t.regex(result.error, /the kernel said no/);
  t.deepEqual([...southbound.values.values()], [{ name: "eth1", type: "DUMMY", mtu: 1400 }]);
  t.deepEqual(northbound.get(), [{ key: key("eth1"), value: { name: "eth1", type: "DUMMY", mtu: 1400 } }]);
});

test("transactions take effect in the order in which they were handed in, however large each is", async (t) => {
  const { northbound, southbound } = await startAgent(t);
  const sizes = [3_000, 1, 1, 1_500, 1, 300, 1];
  const results = await Promise.all(
    sizes.map((size, index) => {
      const others = Array.from({ length: size }, (_, other) => set(`eth${index}-${other}`));
      return northbound.commit({ id: `t${index}`, changes: [...others, set("last", { mtu: 1_000 + index })] }, "test");
    }),
  );
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    sizes.map(() => "APPLIED"),
  );
  const numbers = results.map(({ seq }) => seq);
  t.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  );
  t.like(southbound.values.get(key("last")), { mtu: 1_000 + sizes.length - 1 });
});

test("a dry run answers with the plan and touches nothing", async (t) => {
  const { commit, southbound, northbound } = await startAgent(t);
  await commit({ changes: [set("eth1")] });
  const done = southbound.operations.length;
  const result = await commit({ dry_run: true, changes: [set("eth2"), remove("eth1")] });
  t.like(result, { outcome: "PLANNED", seq: 0 });
  t.deepEqual(result.operations.map(({ operation, key: of }) => `${operation} ${of}`).sort(), [
    `CREATE ${key("eth2")}`,
    `DELETE ${key("eth1")}`,
  ]);
  t.is(southbound.operations.length, done);
  t.deepEqual(
    northbound.get().map((value) => value.key),
    [key("eth1")],
  );
});

test("a dry run does not use up its id", async (t) => {
  const { commit } = await startAgent(t);
  t.is((await commit({ id: "a", dry_run: true, changes: [set("eth1")] })).outcome, "PLANNED");
  t.is((await commit({ id: "a", changes: [set("eth1")] })).outcome, "APPLIED");
  t.is((await commit({ id: "a", dry_run: true, changes: [set("eth2")] })).outcome, "PLANNED");
});

test("REPLACE deletes what it does not mention", async (t) => {
  const { commit, southbound } = await startAgent(t);
  await commit({ changes: [set("eth1"), set("eth2")] });
  const result = await commit({ mode: "REPLACE", changes: [set("eth2"), set("eth3")] });
  t.is(result.outcome, "APPLIED");
  t.deepEqual(southbound.names(), ["eth2", "eth3"]);
  t.deepEqual(result.values.find((status) => status.key === key("eth1"))?.state, "REMOVED");
  t.is((await commit({ mode: "REPLACE", changes: [] })).outcome, "APPLIED");
  t.deepEqual(southbound.names(), []);
});

test("deleting what nobody wants is applied and does nothing", async (t) => {
  const { commit, southbound } = await startAgent(t);
  const result = await commit({ changes: [remove("eth1")] });
  t.is(result.outcome, "APPLIED");
  t.deepEqual(result.operations, []);
  t.deepEqual(southbound.operations, []);
});

test("the same id again gets the stored answer and is not applied twice", async (t) => {
  const { commit, southbound } = await startAgent(t);
  const first = await commit({ id: "a", changes: [set("eth1")] });
  await commit({ changes: [remove("eth1")] });
  const again = await commit({ id: "a", changes: [set("eth1")] });
  t.deepEqual(again, first);
  t.deepEqual(southbound.names(), []);
});

test("the same id while the first is still running joins it", async (t) => {
  const southbound = new Southbound();
  const { commit } = await startAgent(t, { southbound });
  let open = (): void => undefined;
  southbound.gate = new Promise((resolve) => {
    open = resolve;
  });
  const transaction: Transaction = { id: "a", changes: [set("eth1")] };
  const answers = [commit(transaction), commit(transaction)];
  await eventually(() => southbound.operations.length > 0);
  open();
  const [first, second] = await Promise.all(answers);
  t.deepEqual(second, first);
  t.deepEqual(southbound.operations, ["create eth1"]);
});

test("the answers outlive the agent", async (t) => {
  const store = temporaryDirectory(t);
  const southbound = new Southbound();
  const before = await startAgent(t, { southbound, store });
  const first = await before.commit({ id: "a", changes: [set("eth1")] });
  const rejected = await before.commit({ id: "b", changes: [set("eth1", { mtu: 9001 })] });
  await before.agent.close();
  const after = await startAgent(t, { southbound, store });
  t.deepEqual(await after.commit({ id: "a", changes: [set("eth2")] }), first);
  t.deepEqual(await after.commit({ id: "b", changes: [set("eth2")] }), rejected);
  t.deepEqual(southbound.names(), ["eth1"]);
});

test("history names who sent a transaction, and what became of it", async (t) => {
  const { commit, northbound } = await startAgent(t);
  const { seq } = await commit({ id: "a", description: "first", changes: [set("eth1")] });
  await commit({ id: "b", changes: [set("eth1", { mtu: 9001 })] });
  const entries = northbound.history();
  t.like(
    entries.find((entry) => entry.id === "a"),
    { seq, description: "first", kind: "update", source: "memory", outcome: "APPLIED" },
  );
  t.like(
    entries.find((entry) => entry.id === "b"),
    { outcome: "REJECTED" },
  );
  t.like(northbound.history(seq), [{ id: "a" }]);
  t.like(northbound.history(seq)[0]?.executed[0], { operation: "CREATE", key: key("eth1"), state: "CONFIGURED" });
});

test("the views: what is desired, what is there, what is believed to be there", async (t) => {
  const southbound = new Southbound();
  const { commit, northbound } = await startAgent(t, { southbound });
  await commit({ changes: [set("eth1"), set("eth2", { vrf_master_interface: "red" })] });
  southbound.values.delete(key("eth1"));
  const names = async (view: "nb" | "sb" | "cached") => (await northbound.dump(view)).map((value) => value.key);
  t.deepEqual(await names("nb"), [key("eth1"), key("eth2")]);
  t.deepEqual(await names("cached"), [key("eth1")]);
  t.deepEqual(await names("sb"), []);
  t.deepEqual(await northbound.dump("nb", key("eth2")), [
    { key: key("eth2"), value: { name: "eth2", type: "DUMMY", vrf_master_interface: "red" } },
  ]);
  const repaired = await northbound.resync({ downstream: true });
  t.is(repaired.outcome, "APPLIED");
  t.deepEqual(await names("sb"), [key("eth1")]);
});

test("values and transactions are announced", async (t) => {
  const { commit, events } = await startAgent(t);
  const result = await commit({ id: "a", changes: [set("eth1")] });
  await eventually(() => events.some(({ event }) => event.kind === "transaction"), { what: "the transaction's event" });
  const announced = events.map(({ event }) => event);
  t.deepEqual(
    announced.filter(({ kind }) => kind === "value").map(({ data }) => data),
    result.values,
  );
  t.deepEqual(
    announced.filter(({ kind }) => kind === "transaction").map(({ data }) => data),
    [result],
  );
});

test("of a transaction with many values every value is announced, and then the transaction", async (t) => {
  const { commit, events } = await startAgent(t);
  const changes = Array.from({ length: 1_200 }, (_, i) => set(`eth${i}`));
  const { values } = await commit({ id: "many", changes });
  await eventually(() => events.some(({ event }) => event.kind === "transaction"), { what: "the transaction's event" });
  const announced = events.map(({ event }) => event).filter(({ kind }) => kind === "value" || kind === "transaction");
  t.is(announced.length, values.length + 1);
  t.is(announced.at(-1)?.kind, "transaction");
});
