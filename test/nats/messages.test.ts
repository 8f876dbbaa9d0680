import test from "ava";
import fc from "fast-check";
import { Backoff } from "#core/northbound/backoff.js";
import { EventQueue } from "#core/northbound/event-queue.js";
import { fitResult } from "#core/northbound/fit.js";
import type { EventEnvelope, TransactionResult } from "#core/northbound/index.js";
import type { ValueState } from "#core/scheduler/api/scheduler.js";
import { hasTooLong, splitToFit } from "#plugins/nats/fit.js";

const encode = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function result(states: readonly ValueState[]): TransactionResult {
  const values = states.map((state, index) => {
    return { key: `key${index}`, state, error: "", last_operation: "CREATE" as const, details: [] };
  });
  const operations = values.map(({ key, state }) => ({
    operation: "CREATE" as const,
    key,
    derived: false,
    state,
    error: "",
  }));
  return { id: "t", seq: 1, outcome: "APPLIED", error: "", values, operations };
}

const states = fc.array(fc.constantFrom<ValueState>("CONFIGURED", "PENDING", "FAILED"), { maxLength: 60 });

test("a result that fits is sent as it is; a larger one is cut, the urgent values stay, and it says so", (t) => {
  fc.assert(
    fc.property(states, fc.integer({ min: 200, max: 20_000 }), (all, limit) => {
      const whole = result(all);
      const message = fitResult(whole, limit, encode);
      const sent = JSON.parse(new TextDecoder().decode(message)) as TransactionResult;
      if (encode(whole).length <= limit) return sent.truncated === undefined && sent.values.length === all.length;
      const rank = { FAILED: 0, PENDING: 1, CONFIGURED: 2 } as Record<string, number>;
      const kept = sent.values.map(({ state }) => rank[state]!);
      const expected = all.map((state) => rank[state]!).toSorted((a, b) => a - b);
      return (
        message.length <= limit && sent.truncated === true && kept.join() === expected.slice(0, kept.length).join()
      );
    }),
  );
  t.pass();
});

test("a list is split into messages that fit, and nothing is lost or turned round", async (t) => {
  const items = fc.array(fc.string({ maxLength: 50 }), { maxLength: 500 });
  await fc.assert(
    fc.asyncProperty(items, fc.integer({ min: 60, max: 2_000 }), async (list, limit) => {
      const messages = await splitToFit(list, limit, encode);
      const joined = messages.flatMap((message) => JSON.parse(new TextDecoder().decode(message)) as string[]);
      const tooLarge = messages.filter(({ length }) => length > limit).length;
      return (
        joined.join("\n") === list.join("\n") &&
        messages.length >= 1 &&
        tooLarge === list.filter((item) => encode([item] as never).length > limit).length
      );
    }),
  );
  t.pass();
});

test("an item with long lists that is too large is found, and others have a message each", async (t) => {
  const record = (count: number) => ({ values: Array.from({ length: count }, (_, index) => ({ key: `k${index}` })) });
  t.true(await hasTooLong([record(1), record(10_000), record(100)], 10_000));
  t.false(await hasTooLong([record(500), record(100)], 10_000));
  t.is((await splitToFit([record(500), record(100), record(1)], 10_000, encode as never)).length, 3);
});

function envelope(id: number, name: string | undefined): EventEnvelope {
  const common = { id: String(id), source: "/tenuto/t", type: "x", time: "" };
  return name === undefined
    ? { ...common, subject: "p", event: { kind: "health", plugin: "p", data: {} } }
    : { ...common, subject: name, event: { kind: "interface", name, deleted: false, data: {} } };
}

test("a full event queue keeps the last state of every interface, stays in order and within its bound", (t) => {
  const names = fc.array(fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined }), { maxLength: 200 });
  fc.assert(
    fc.property(names, (sequence) => {
      const queue = new EventQueue(8);
      for (const [id, name] of sequence.entries()) queue.push(envelope(id, name));
      const bounded = queue.size <= 8;
      const taken: EventEnvelope[] = [];
      for (let next = queue.take(); next !== undefined; next = queue.take()) taken.push(next);
      const ids = taken.map(({ id }) => Number(id));
      const inOrder = ids.every((id, index) => index === 0 || id > ids[index - 1]!);
      const lasts = (["a", "b", "c"] as const).map((name) => sequence.lastIndexOf(name)).filter((id) => id >= 0);
      return bounded && inOrder && lasts.every((id) => ids.includes(id));
    }),
  );
  t.pass();
});

test("of many values a full event queue drops the news of those that are well before that of others", (t) => {
  const queue = new EventQueue(8);
  const states = ["FAILED", "CONFIGURED", "REMOVED", "PENDING", ...Array<"CONFIGURED">(20).fill("CONFIGURED")] as const;
  for (const [id, state] of states.entries()) {
    const data = { key: "k", state, error: "", last_operation: "CREATE", details: [] } as const;
    queue.push({ ...envelope(id, undefined), event: { kind: "value", key: "k", data } });
  }
  const taken: string[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) taken.push(next.id);
  t.deepEqual(taken.slice(0, 2), ["0", "3"]);
  t.is(taken.at(-1), "23");
  t.is(taken.length + queue.dropped, states.length);
});

test("pauses double up to their limit, shortened by up to half, and begin anew after a reset", (t) => {
  const whole = new Backoff(100, 1_000, () => 0);
  t.deepEqual(
    [whole.next(), whole.next(), whole.next(), whole.next(), whole.next(), whole.next()],
    [100, 200, 400, 800, 1_000, 1_000],
  );
  whole.reset();
  t.is(whole.next(), 100);
  const half = new Backoff(100, 1_000, () => 1);
  t.deepEqual([half.next(), half.next()], [50, 100]);
});
