import { setImmediate as turn } from "node:timers/promises";
import test from "ava";
import { createScheduler } from "#core/scheduler/index.js";
import { FakeClock } from "./fake-clock.js";
import { Southbound, type Thing } from "./southbound.js";

const independent = Array.from({ length: 50 }, (_, i): [string, Thing] => [`a/${String(i).padStart(2, "0")}`, {}]);

test("operations that do not have to follow each other run at the same time", async (t) => {
  const below = new Southbound(() => turn());
  const scheduler = createScheduler({ clock: new FakeClock() });
  scheduler.registerDescriptor(below.descriptor("a/"));
  await scheduler.commit({ changes: independent });
  t.is(below.mostRunning, 50);
});

test("no more operations run at once than are allowed", async (t) => {
  const below = new Southbound(() => turn());
  const scheduler = createScheduler({ clock: new FakeClock(), concurrency: 7 });
  scheduler.registerDescriptor(below.descriptor("a/"));
  await scheduler.commit({ changes: independent });
  t.is(below.mostRunning, 7);
});

test("a serial descriptor has one operation at a time, and holds up nobody else", async (t) => {
  const below = new Southbound(() => turn());
  const others = new Southbound(() => turn());
  const scheduler = createScheduler({ clock: new FakeClock() });
  scheduler.registerDescriptor(below.descriptor("a/", { concurrency: "serial" }));
  scheduler.registerDescriptor(others.descriptor("b/"));
  await scheduler.commit({
    changes: [...independent, ...independent.map(([key, value]) => [key.replace("a/", "b/"), value] as const)],
  });
  t.is(below.mostRunning, 1);
  t.is(others.mostRunning, 50);
  t.deepEqual(
    below.calls.map(({ key }) => key),
    independent.map(([key]) => key),
  );
});

test("each operation of a chain waits for the one before, whatever else is going on", async (t) => {
  const below = new Southbound(() => turn());
  const scheduler = createScheduler({ clock: new FakeClock() });
  scheduler.registerDescriptor(below.descriptor("a/"));
  const keys = independent.map(([key]) => key);
  await scheduler.commit({
    changes: keys.map((key, i): [string, Thing] => [key, i === 0 ? {} : { needs: keys.slice(i - 1, i) }]),
  });
  t.is(below.mostRunning, 1);
  t.deepEqual(below.violations, []);
});

test("a record does not depend on how long each operation takes", async (t) => {
  const records: string[] = [];
  for (const seed of [1, 2, 3]) {
    let state = seed;
    const below = new Southbound(async () => {
      state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
      for (let turns = state % 5; turns > 0; turns--) await turn();
    });
    below.faults.set("create a/07", 1);
    below.faults.set("create b/11", 1);
    const scheduler = createScheduler({ clock: new FakeClock(), concurrency: 5 });
    scheduler.registerDescriptor(below.descriptor("a/"));
    scheduler.registerDescriptor(below.descriptor("b/"));
    const { planned, executed } = await scheduler.commit({
      changes: independent.flatMap(([key]): [string, Thing][] => [
        [key, { parts: { p: {} } }],
        [key.replace("a/", "b/"), { needs: [key] }],
      ]),
    });
    records.push(JSON.stringify({ planned, executed }));
  }
  t.is(records[0], records[1]);
  t.is(records[1], records[2]);
});

test("a descriptor that takes many values gets those together that are ready together, and answers for each", async (t) => {
  const below = new Southbound();
  const sizes: number[] = [];
  const { createMany, deleteMany } = below.together();
  const scheduler = createScheduler({ clock: new FakeClock(), retry: false });
  scheduler.registerDescriptor(
    below.descriptor("a/", {
      createMany: (values) => {
        sizes.push(values.length);
        return createMany?.(values) ?? Promise.resolve([]);
      },
      deleteMany: (values) => {
        sizes.push(-values.length);
        return deleteMany?.(values) ?? Promise.resolve([]);
      },
    }),
  );
  below.faults.set("create a/07", 1);
  const record = await scheduler.commit({ changes: [...independent, ["a/50", { needs: ["a/00"] }]] });
  t.deepEqual(sizes, [50, 1]);
  const failed = record.values.filter(({ state }) => state !== "CONFIGURED");
  t.deepEqual(
    failed.map(({ key, error }) => [key, error]),
    [["a/07", "create a/07 was made to fail"]],
  );
  await scheduler.commit({ changes: independent.map(([key]) => [key, undefined]) });
  t.deepEqual(sizes, [50, 1, -49, -1]);
  t.deepEqual([...below.values.keys()], []);
  t.deepEqual(below.violations, []);
});

for (const { what, answer, error } of [
  { what: "throws", answer: () => Promise.reject(new Error("out of order")), error: "out of order" },
  { what: "answers for fewer", answer: () => Promise.resolve([]), error: /there is no result for it/ },
  { what: "answers no list", answer: () => Promise.resolve(undefined as never), error: /there is no result for it/ },
]) {
  test(`a descriptor that ${what} when it is given many values fails each, and nothing else`, async (t) => {
    const below = new Southbound();
    const scheduler = createScheduler({ clock: new FakeClock(), retry: false });
    scheduler.registerDescriptor(below.descriptor("a/", { createMany: answer }));
    scheduler.registerDescriptor(below.descriptor("b/"));
    const { values } = await scheduler.commit({
      changes: [
        ["a/1", {}],
        ["a/2", {}],
        ["b/1", {}],
      ],
    });
    t.deepEqual(
      values.map(({ state }) => state),
      ["FAILED", "FAILED", "CONFIGURED"],
    );
    for (const status of values.slice(0, 2)) {
      if (typeof error === "string") t.is(status.error, error);
      else t.regex(status.error, error);
    }
  });
}
