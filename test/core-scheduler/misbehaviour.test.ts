import { setImmediate as turn } from "node:timers/promises";
import test from "ava";
import { InvalidInputError, SouthboundError } from "#core/errors.js";
import type { Descriptor, Scheduler, TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { createMetadataMap, createScheduler, type SchedulerOptions } from "#core/scheduler/index.js";
import { FakeClock } from "./fake-clock.js";
import { Southbound } from "./southbound.js";

// A descriptor, a watcher or the southbound may do what it likes: the scheduler goes on, and says what was wrong.

class Bench {
  readonly clock = new FakeClock();
  readonly problems: string[] = [];
  readonly scheduler: Scheduler;

  constructor(descriptor: Partial<Descriptor>, options: SchedulerOptions = {}) {
    this.scheduler = createScheduler({
      clock: this.clock,
      operationTimeout: 1_000,
      onProblem: (message) => this.problems.push(message),
      ...options,
    });
    this.scheduler.registerDescriptor({ name: "odd", prefix: "odd/", ...descriptor });
    this.scheduler.registerDescriptor(new Southbound().descriptor("a/"));
  }

  commit(...keys: readonly string[]): Promise<TransactionRecord> {
    return this.scheduler.commit({ changes: keys.map((key) => [key, {}]), retry: false });
  }

  state(key = "odd/1"): string {
    return this.scheduler.status(key).state;
  }

  idle(): Promise<TransactionRecord> {
    return this.scheduler.commit({ changes: [], simulate: true });
  }
}

/** A promise that the test settles. */
function promised<T>(): { readonly promise: Promise<T>; settle(value: T): void; fail(error: Error): void } {
  let settle: (value: T) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  return { promise, settle: (value) => settle(value), fail: (error) => fail(error) };
}

test("a descriptor that throws at once fails its value only", async (t) => {
  const bench = new Bench({
    create: () => {
      throw new SouthboundError("EBUSY", "the kernel is busy");
    },
  });
  const record = await bench.commit("odd/1", "a/1");
  t.deepEqual(
    record.values.map(({ key, state, error }) => [key, state, error]),
    [
      ["odd/1", "FAILED", "the kernel is busy"],
      ["a/1", "CONFIGURED", ""],
    ],
  );
});

for (const method of ["validate", "dependencies", "derivedValues"] as const) {
  test(`a descriptor whose ${method} throws makes the value invalid`, async (t) => {
    const bench = new Bench({
      [method]: () => {
        throw new Error(`${method} is out of order`);
      },
    });
    const record = await bench.commit("odd/1", "a/1");
    t.like(record.values[0], { state: "INVALID", details: [`${method} is out of order`] });
    t.is(bench.state("a/1"), "CONFIGURED");
  });
}

test("of a value with very much wrong in it the beginning is told, and how much more there is", async (t) => {
  const bench = new Bench({
    validate: () => Array.from({ length: 5_000 }, (_, at) => ({ field: `list[${at}]`, problem: "is wrong" })),
  });
  const [status] = (await bench.commit("odd/1")).values;
  t.is(status?.details.length, 101);
  t.deepEqual([status?.details[0], status?.details.at(-1)], ["list[0]: is wrong", "and 4900 more"]);
});

for (const method of ["equivalent", "updateWithRecreate", "claims"] as const) {
  test(`a descriptor whose ${method} throws does not stop the scheduler`, async (t) => {
    const bench = new Bench({
      create: () => undefined,
      update: () => undefined,
      delete: () => undefined,
      [method]: () => {
        throw new Error(`${method} is out of order`);
      },
    });
    await bench.scheduler.commit({ changes: [["odd/1", { size: 1 }]] });
    await bench.scheduler.commit({ changes: [["odd/1", { size: 2 }]] });
    t.is(bench.state(), "CONFIGURED");
    t.true(bench.problems.length === 0 || bench.problems.every((each) => each.includes(method)));
    t.is((await bench.commit("a/1")).values[0]?.state, "CONFIGURED");
  });
}

test("a descriptor whose retrieve throws is named, and its values stay as the cache has them", async (t) => {
  const bench = new Bench({
    create: () => undefined,
    retrieve: () => Promise.reject(new Error("no memory")),
  });
  await bench.commit("odd/1", "a/1");
  const resync = await bench.scheduler.resyncDownstream();
  t.is(resync.error, "reading back with odd failed: no memory");
  t.is(bench.state(), "CONFIGURED");
});

test("a descriptor whose retrieve never answers is not waited for", async (t) => {
  const bench = new Bench({ create: () => undefined, retrieve: () => new Promise(() => undefined) });
  await bench.commit("odd/1");
  const resync = bench.scheduler.resyncDownstream();
  await turn();
  bench.clock.advance(1_000);
  t.is((await resync).error, "reading back with odd failed: no answer within 1000 ms");
});

test("a call that is not answered in time fails, and what it did in the end is read back", async (t) => {
  const answer = promised<undefined>();
  let below = false;
  const bench = new Bench({
    create: () => answer.promise,
    retrieve: async () => (below ? [{ key: "odd/1", value: {}, origin: "northbound" }] : []),
  });
  const committed = bench.commit("odd/1", "a/1");
  await turn();
  bench.clock.advance(1_000);
  t.like((await committed).values[0], {
    state: "FAILED",
    error: "CREATE of odd/1 did not answer within 1000 ms",
  });
  t.is(bench.state("a/1"), "CONFIGURED", "nobody waits for it");

  const again = await bench.commit("odd/1");
  t.is(again.values[0]?.error, "an earlier operation on odd/1 has not answered yet", "it is not called twice at once");

  below = true;
  answer.settle(undefined);
  await answer.promise;
  await bench.idle();
  t.is(bench.state(), "CONFIGURED");
  t.deepEqual(bench.problems, ["CREATE of odd/1 answered after its time; it is read anew"]);
});

test("a call that answers twice is taken at its first word, and one that cannot even be waited for fails", async (t) => {
  const thenable = (then: (resolve: (value: unknown) => void, reject: (error: Error) => void) => void): object => ({
    then,
  });
  const twice = thenable((resolve, reject) => {
    resolve({ index: 1 });
    reject(new Error("after all, no"));
  });
  const never = thenable(() => {
    throw new Error("do not wait for me");
  });
  const bench = new Bench({ create: (key) => (key === "odd/1" ? twice : never) });
  const record = await bench.commit("odd/1", "odd/2");
  t.deepEqual(
    record.values.map(({ state, error }) => [state, error]),
    [
      ["CONFIGURED", ""],
      ["FAILED", "do not wait for me"],
    ],
  );
});

test("watchers that throw are told of, and the others are still called", async (t) => {
  const bench = new Bench({});
  const told: string[] = [];
  const angry = (): never => {
    throw new Error("not me");
  };
  bench.scheduler.watchStatus(angry);
  bench.scheduler.watchTransactions(angry);
  bench.scheduler.watchStatus((statuses) => told.push(...statuses.map(({ key }) => key)));
  await bench.commit("a/1");
  t.deepEqual(told, ["a/1"]);
  t.deepEqual(bench.problems, ["a watcher threw: not me", "a watcher threw: not me"]);
});

test("a metadata watcher that throws is told of, and the value is there", async (t) => {
  const metadataMap = createMetadataMap<unknown>();
  metadataMap.watch(() => {
    throw new Error("not me");
  });
  const bench = new Bench({ create: () => ({ index: 1 }), metadataMap });
  t.is((await bench.commit("odd/1")).values[0]?.state, "CONFIGURED");
  t.deepEqual(bench.problems, ["the metadata of odd/1 could not be indexed or watched: not me"]);
  t.deepEqual(metadataMap.get("odd/1"), { index: 1 });
});

test("a failure that its descriptor calls final is not retried, nor is input that can never be right", async (t) => {
  for (const error of [new Error("never"), new InvalidInputError("BAD", "never")]) {
    const bench = new Bench({
      create: () => Promise.reject(error),
      isRetriableFailure: (thrown) => !(thrown instanceof Error && thrown.message === "never"),
    });
    const record = await bench.scheduler.commit({ changes: [["odd/1", {}]] });
    t.is(record.values[0]?.state, "FAILED");
    t.is(bench.clock.pending, 0);
  }
});

test("retries end after as many as were allowed", async (t) => {
  let calls = 0;
  const bench = new Bench({
    create: () => {
      calls++;
      return Promise.reject(new Error("no"));
    },
  });
  const retry = { period: 100, maxCount: 2, exponentialBackoff: false };
  await bench.scheduler.commit({ changes: [["odd/1", {}]], retry });
  for (let i = 0; i < 5; i++) {
    bench.clock.advance(100);
    await bench.idle();
  }
  t.is(calls, 3);
  t.is(bench.state(), "FAILED");
});

test("two descriptors of one name are refused, and so is one whose values are there already", async (t) => {
  const { scheduler } = new Bench({});
  t.throws(() => scheduler.registerDescriptor({ name: "odd", prefix: "other/" }), { code: "DUPLICATE_DESCRIPTOR" });
  await scheduler.commit({ changes: [["a/1", {}]] });
  t.throws(() => scheduler.registerDescriptor({ name: "late", prefix: "a/1" }), { code: "LATE_DESCRIPTOR" });
});

test("closing waits for the call under way, refuses what waits, and leaves no timer", async (t) => {
  const answer = promised<undefined>();
  const bench = new Bench({ create: () => answer.promise });
  const running = bench.commit("odd/1");
  const waiting = bench.commit("a/1");
  const closed = bench.scheduler.close();
  await t.throwsAsync(waiting, { code: "SCHEDULER_CLOSED" });
  answer.settle(undefined);
  t.is((await running).values[0]?.state, "CONFIGURED");
  await closed;
  await t.throwsAsync(bench.commit("a/2"), { code: "SCHEDULER_CLOSED" });
  t.is(bench.clock.pending, 0);
});
