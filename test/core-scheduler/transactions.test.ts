import test from "ava";
import type { TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { Network } from "./network.js";

const tap = { type: "tap" };
const jumbo = { type: "tap", mtu: 9000 };

test("a transaction that is confirmed in time stays", async (t) => {
  const network = new Network();
  const { seq } = await network.commit({ "interface/my-tap": tap }, { confirmTimeout: 5_000 });
  t.is((await network.scheduler.confirm(seq))?.seq, seq);
  await network.pass(60_000);
  t.is(network.state("interface/my-tap"), "CONFIGURED");
  t.is(await network.scheduler.confirm(seq), undefined, "it waits no longer");
});

test("a transaction that nobody confirms is reverted when its time is over", async (t) => {
  const network = new Network();
  await network.commit({ "interface/my-tap": tap });
  const { seq } = await network.commit(
    { "interface/my-tap": jumbo, "interface/other": tap },
    { confirmTimeout: 5_000 },
  );
  await network.pass(4_999);
  t.deepEqual(network.scheduler.desired("interface/my-tap"), jumbo);
  await network.pass(1);
  t.deepEqual(network.below.get("interface/my-tap"), tap);
  t.is(network.state("interface/other"), "NONEXISTENT");
  t.like(network.scheduler.history().at(-1), {
    kind: "revert",
    description: `transaction ${seq} reverted: not confirmed in time`,
  });
});

test("a transaction that is cancelled is reverted at once, and what came after it is kept", async (t) => {
  const network = new Network();
  const { seq } = await network.commit({ "interface/a": tap, "interface/b": tap }, { confirmTimeout: 5_000 });
  await network.commit({ "interface/b": jumbo });
  const reverted = await network.scheduler.cancel(seq);
  t.deepEqual(
    reverted?.executed.map(({ operation, key }) => `${operation} ${key}`),
    ["DELETE interface/a"],
  );
  t.deepEqual(network.scheduler.desired("interface/b"), jumbo);
  t.is(await network.scheduler.cancel(seq), undefined);
  t.is(network.clock.pending, 0);
});

test("transactions run one after the other, in the order in which they were handed in", async (t) => {
  const network = new Network();
  const order: number[] = [];
  network.scheduler.watchTransactions(({ seq }) => order.push(seq));
  const sizes = [1, 2, 3, 4, 5].map((rx_ring_size) =>
    network.commit({ "interface/my-tap": { type: "tap", rx_ring_size } }),
  );
  const records = await Promise.all(sizes);
  t.deepEqual(
    records.map(({ seq }) => seq),
    order,
  );
  t.deepEqual(network.below.get("interface/my-tap"), { type: "tap", rx_ring_size: 5 });
});

test("notifications that come together are one transaction, and the last word on a key counts", async (t) => {
  const network = new Network();
  await network.commit({ "interface/a": { type: "af-packet", host_if_name: "eth1" } });
  const key = "linux/interface/host-name/eth1";
  const records: TransactionRecord[] = [];
  network.scheduler.watchTransactions((record) => records.push(record));
  network.scheduler.notify([{ key, value: {} }]);
  network.scheduler.notify([{ key, value: undefined }]);
  network.scheduler.notify([{ key, value: { index: 7 } }]);
  await network.idle();
  t.is(records.length, 1);
  t.like(records[0], { kind: "notification" });
  t.is(network.state("interface/a"), "CONFIGURED");
});

test("history is bounded in count and age, and can be asked for a time", async (t) => {
  const network = new Network({ history: { maxRecords: 3, maxAge: 10_000 } });
  for (const mtu of [1000, 1001, 1002, 1003]) {
    await network.commit({ "interface/my-tap": { type: "tap", mtu } });
    network.clock.advance(1_000);
  }
  const { scheduler, clock } = network;
  t.deepEqual(
    scheduler.history().map(({ seq }) => seq),
    [2, 3, 4],
  );
  t.deepEqual(
    scheduler.history({ since: clock.now() - 2_000, until: clock.now() - 1_500 }).map(({ seq }) => seq),
    [3],
  );
  t.deepEqual(
    scheduler.history({ seq: 4 }).map(({ seq }) => seq),
    [4],
  );
  clock.advance(20_000);
  await network.commit({ "interface/my-tap": undefined });
  t.deepEqual(
    scheduler.history().map(({ seq }) => seq),
    [5],
  );
});

test("a record says what was planned, also where it was not done", async (t) => {
  const network = new Network();
  network.breakDown("create interface/my-tap");
  const record = await network.commit(
    { "interface/my-tap": tap, "route/my-route": { interface: "my-tap" } },
    { description: "first steps" },
  );
  t.is(record.description, "first steps");
  t.deepEqual(
    record.planned.map(({ operation, key }) => `${operation} ${key}`),
    ["CREATE interface/my-tap", "CREATE route/my-route"],
  );
  t.deepEqual(
    record.executed.map(({ operation, key, state }) => `${operation} ${key} ${state}`),
    ["CREATE interface/my-tap RETRYING"],
  );
});

test("dumps show what is desired, what the cache has, and what is really there", async (t) => {
  const network = new Network();
  await network.commit({ "interface/my-tap": tap, "route/waiting": { interface: "nowhere" } });
  network.below.set("interface/unmanaged", tap);
  const keys = async (view: "northbound" | "cached" | "southbound", prefix?: string) =>
    (await network.scheduler.dump(view, prefix)).map(({ key, state }) => `${key} ${state}`);
  t.deepEqual(await keys("northbound"), ["interface/my-tap CONFIGURED", "route/waiting PENDING"]);
  t.deepEqual(await keys("cached"), ["interface/my-tap CONFIGURED"]);
  t.deepEqual(await keys("southbound", "interface/"), [
    "interface/my-tap CONFIGURED",
    "interface/unmanaged DISCOVERED",
  ]);
});
