import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import test from "ava";
import { SouthboundError } from "#core/errors.js";
import { answer, contentOf, openStore, temporaryDirectory, values } from "./support.js";

test("what was written is there after a restart, source by source", async (t) => {
  const directory = temporaryDirectory(t);
  const first = await openStore(t, { directory });
  t.deepEqual(contentOf(first), {});
  await first.store.write(values({ "config/a": { mtu: 1 }, "config/b": { name: "é\u0000" } }));
  await first.store.write(values({ "config/a": { mtu: 2 } }, "nats"));
  await first.store.write(values({ "config/b": undefined }));
  await first.agent.close();
  const second = await openStore(t, { directory });
  t.deepEqual(contentOf(second), { store: { "config/a": { mtu: 1 } }, nats: { "config/a": { mtu: 2 } } });
  t.false(second.store.damaged);
});

test("answers are there after a restart, by id", async (t) => {
  const directory = temporaryDirectory(t);
  const first = await openStore(t, { directory });
  await first.store.write({ result: answer("a/b c", { seq: 7 }) });
  await first.store.write({ result: answer("u", { outcome: "UNCONFIRMED" }) });
  t.deepEqual(await first.store.result("a/b c"), answer("a/b c", { seq: 7 }));
  await first.agent.close();
  const { store } = await openStore(t, { directory });
  t.deepEqual(await store.result("a/b c"), answer("a/b c", { seq: 7 }));
  t.is(await store.result("other"), undefined);
  t.deepEqual(store.unconfirmed(), ["u"]);
  await store.write({ result: answer("u", { outcome: "REVERTED" }) });
  t.deepEqual(store.unconfirmed(), []);
});

test("answers are bounded in number, the oldest go first", async (t) => {
  const directory = temporaryDirectory(t);
  const { store, agent } = await openStore(t, { directory, max_results: 100 });
  for (let count = 0; count < 300; count++) await store.write({ result: answer(`r${count}`) });
  const kept = async (of: typeof store): Promise<readonly boolean[]> =>
    Promise.all([0, 199, 299].map(async (count) => (await of.result(`r${count}`)) !== undefined));
  t.deepEqual(await kept(store), [false, false, true]);
  await agent.close();
  t.deepEqual(await kept((await openStore(t, { directory, max_results: 100 })).store), [false, false, true]);
});

test("answers are bounded in age", async (t) => {
  const { store } = await openStore(t, { directory: temporaryDirectory(t), max_result_age: "0s" });
  await store.write({ result: answer("old") });
  const began = Date.now();
  let count = 0;
  while (Date.now() === began) count += 1;
  await store.write({ result: answer("new") });
  t.is(await store.result("old"), undefined, `${count} turns later`);
});

test("a very long answer is stored with what went wrong first", async (t) => {
  const { store } = await openStore(t, { directory: temporaryDirectory(t) });
  const statuses = Array.from({ length: 5000 }, (_, index) => ({
    key: `config/${index}`,
    state: index === 4999 ? ("FAILED" as const) : ("CONFIGURED" as const),
    error: "",
    last_operation: "CREATE" as const,
    details: [],
  }));
  await store.write({ result: answer("long", { values: statuses }) });
  const stored = await store.result("long");
  t.is(stored?.values.length, 1000);
  t.true(stored?.truncated);
  t.is(stored?.values[0]?.key, "config/4999");
});

test("writes become durable in the order of the calls, also those that go together", async (t) => {
  const directory = temporaryDirectory(t);
  const { store, agent } = await openStore(t, { directory });
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 500 }, async (_, index) => {
      await store.write(values({ [`config/${index % 7}`]: { index } }));
      order.push(index);
    }),
  );
  t.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  await agent.close();
  const loaded = Object.values(contentOf(await openStore(t, { directory })).store ?? {});
  t.deepEqual(loaded.map((value) => ("index" in value ? value.index : -1)).sort(), [493, 494, 495, 496, 497, 498, 499]);
});

test("a store that is switched off forgets", async (t) => {
  const first = await openStore(t, { enabled: false });
  t.false(first.store.durable);
  await first.store.write({ ...values({ "config/a": {} }), result: answer("a") });
  t.deepEqual(await first.store.result("a"), answer("a"));
  await first.agent.close();
  const second = await openStore(t, { enabled: false });
  t.deepEqual(contentOf(second), {});
  t.is(await second.store.result("a"), undefined);
});

test("that the store is complete is remembered", async (t) => {
  const directory = temporaryDirectory(t);
  const first = await openStore(t, { directory });
  t.false(first.store.complete);
  await first.store.write({ complete: true });
  t.true(first.store.complete);
  await first.agent.close();
  t.true((await openStore(t, { directory })).store.complete);
});

test("a directory that another agent uses is refused by name", async (t) => {
  const directory = temporaryDirectory(t);
  const first = await openStore(t, { directory });
  const error = await t.throwsAsync(openStore(t, { directory }, "t2"));
  t.true(error?.cause instanceof SouthboundError);
  t.like(error?.cause, { code: "STORE_LOCKED" });
  t.regex(error?.message ?? "", new RegExp(`${directory} is in use by another agent.*store\\.directory`));
  await first.store.write(values({ "config/a": {} }));
  await first.agent.close();
  const again = await openStore(t, { directory });
  t.deepEqual(contentOf(again), { store: { "config/a": {} } });
  t.false(again.store.damaged);
});

test("a directory that cannot be made is refused with what to set", async (t) => {
  const parent = temporaryDirectory(t);
  writeFileSync(join(parent, "file"), "");
  for (const directory of [join(parent, "file"), join(parent, "file", "southbound"), "/proc/tenuto/southbound"]) {
    const error = await t.throwsAsync(openStore(t, { directory }));
    t.regex(
      error?.message ?? "",
      new RegExp(`the store cannot use ${directory}: .*Set store\\.directory .* or store\\.enabled to false`),
    );
  }
});

test("the directory is for its owner alone", async (t) => {
  const parent = temporaryDirectory(t);
  mkdirSync(join(parent, "var"));
  const directory = join(parent, "var", "t1");
  await openStore(t, { directory });
  t.is(statSync(directory).mode & 0o777, 0o700);
});

/** More than are encoded in one turn of the event loop. */
const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`key${i}`, { number: i }]));

/** Lets the store go on with what it prepares. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

for (const prepared of [0, 1, 2, 10]) {
  test(`values that were prepared are written as any others, ${prepared} turns of the event loop later`, async (t) => {
    const directory = temporaryDirectory(t);
    const opened = await openStore(t, { directory });
    await opened.store.write(values({ key5: { number: "before" }, gone: {} }));
    const update = values({ ...many, gone: undefined });
    opened.store.prepare(update.values);
    await turns(prepared);
    await opened.store.write({ ...update, result: answer("many") });
    await opened.agent.close();
    const again = await openStore(t, { directory });
    t.false(again.store.damaged);
    t.deepEqual(contentOf(again).store, many);
    t.deepEqual(await again.store.result("many"), answer("many"));
  });
}

test("nothing is left of values that were prepared and are not written after all", async (t) => {
  const directory = temporaryDirectory(t);
  const opened = await openStore(t, { directory });
  const forget = opened.store.prepare(values(many).values);
  opened.store.prepare(values({ neither: {} }).values);
  await turns(1);
  forget();
  await opened.store.write(values({ only: {} }));
  await opened.agent.close();
  const again = await openStore(t, { directory });
  t.deepEqual(contentOf(again).store, { only: {} });
});

test("a later change of a prepared value that is still waiting for the disk counts", async (t) => {
  const directory = temporaryDirectory(t);
  const opened = await openStore(t, { directory });
  const update = values(many);
  opened.store.prepare(update.values);
  await turns(10);
  const first = opened.store.write(values({ other: {} }));
  await Promise.all([first, opened.store.write(update), opened.store.write(values({ key7: { number: "later" } }))]);
  await opened.agent.close();
  const again = await openStore(t, { directory });
  t.deepEqual(contentOf(again).store, { ...many, other: {}, key7: { number: "later" } });
});
