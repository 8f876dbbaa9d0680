import test from "ava";
import fc from "fast-check";
import type { InvalidInputError } from "#core/errors.js";
import type { Change, Transaction } from "#core/northbound/index.js";
import { type DroppedTransaction, TransactionParts } from "#core/northbound/parts.js";
import { eventually } from "#test/support/eventually.js";

const LIMITS = { maxBytes: 1_000, maxChanges: 100, timeLimit: 60_000 };

function change(key: string): Change {
  return { key, delete: true };
}

function part(id: string, position: string, ...keys: readonly string[]) {
  return { position, bytes: 100, transaction: { id, description: position, changes: keys.map(change) } };
}

function keysOf(transaction: Transaction | undefined): readonly string[] | undefined {
  return transaction?.changes.map(({ key }) => key);
}

test("parts in any order, some more than once, make the changes in their order", (t) => {
  const order = fc.shuffledSubarray([1, 2, 3, 4, 5], { minLength: 5 });
  const repeated = fc.array(fc.constantFrom(1, 2, 3, 4, 5), { maxLength: 5 });
  fc.assert(
    fc.property(order, repeated, (once, again) => {
      const parts = new TransactionParts(LIMITS, () => t.fail());
      const last = once.at(-1)!;
      const early = [...again.filter((k) => k !== last), ...once.slice(0, -1)];
      for (const k of early) if (parts.add(part("t", `${k}/5`, `key${k}`)) !== undefined) return false;
      const whole = parts.add(part("t", `${last}/5`, `key${last}`));
      parts.close();
      return keysOf(whole)?.join() === "key1,key2,key3,key4,key5";
    }),
  );
  t.pass();
});

test("a single part is the whole", (t) => {
  const parts = new TransactionParts(LIMITS, () => t.fail());
  t.deepEqual(keysOf(parts.add(part("t", "1/1", "a"))), ["a"]);
});

test("transactions do not mix", (t) => {
  const parts = new TransactionParts(LIMITS, () => t.fail());
  t.is(parts.add(part("t", "1/2", "a")), undefined);
  t.is(parts.add(part("u", "1/2", "x")), undefined);
  t.deepEqual(keysOf(parts.add(part("u", "2/2", "y"))), ["x", "y"]);
  t.deepEqual(keysOf(parts.add(part("t", "2/2", "b"))), ["a", "b"]);
});

test("positions that make no sense are refused", (t) => {
  const parts = new TransactionParts(LIMITS, () => t.fail());
  for (const position of ["", "1", "0/2", "3/2", "a/b", "1/0", "-1/2", "1/99999999"]) {
    t.is(t.throws<InvalidInputError>(() => parts.add(part("t", position)))?.code, "BAD_PART", position);
  }
  t.is(t.throws<InvalidInputError>(() => parts.add(part("", "1/2")))?.code, "BAD_PART");
  parts.add(part("t", "1/2"));
  t.is(t.throws<InvalidInputError>(() => parts.add(part("t", "2/3")))?.code, "BAD_PART");
});

test("memory is bounded, for one transaction and for all together, and freed when one is dropped", (t) => {
  const parts = new TransactionParts(LIMITS, () => t.fail());
  for (let k = 1; k <= 10; k += 1) parts.add(part("t", `${k}/20`));
  t.is(t.throws<InvalidInputError>(() => parts.add(part("u", "1/2")))?.code, "TOO_LARGE");
  t.throws(() => parts.add(part("t", "11/20")), { message: /max_transaction_bytes/ });
  t.is(parts.add(part("u", "1/2")), undefined, "the large one is gone");
  parts.close();
});

test("changes are bounded like bytes: two bytes can be one", (t) => {
  const parts = new TransactionParts({ ...LIMITS, maxBytes: 1_000_000, maxChanges: 10 }, () => t.fail());
  const four = ["a", "b", "c", "d"];
  parts.add(part("t", "1/9", ...four));
  parts.add(part("t", "1/9", ...four));
  parts.add(part("t", "2/9", ...four));
  t.is(t.throws<InvalidInputError>(() => parts.add(part("u", "1/2", ...four)))?.code, "TOO_LARGE");
  t.throws(() => parts.add(part("t", "3/9", ...four)), { message: /max_transaction_changes/ });
  t.is(parts.add(part("u", "1/2", ...four)), undefined, "the large one is gone");
  parts.close();
});

test("transactions that wait for parts are bounded in number, and their ids in length", (t) => {
  const parts = new TransactionParts({ ...LIMITS, maxBytes: 1_000_000 }, () => t.fail());
  for (let number = 0; number < 1_000; number++) parts.add(part(`t${number}`, "1/2"));
  const refused = t.throws<InvalidInputError>(() => parts.add(part("one more", "1/2")));
  t.is(refused?.code, "TOO_MANY");
  t.deepEqual(keysOf(parts.add(part("t0", "2/2", "b"))), ["b"]);
  t.is(parts.add(part("one more", "1/2")), undefined);
  t.throws(() => parts.add(part("x".repeat(257), "1/2")), { message: /^id: has 257 characters/ });
  parts.close();
});

test("a part that is sent again does not count twice", (t) => {
  const parts = new TransactionParts(LIMITS, () => t.fail());
  for (let time = 0; time < 50; time += 1) t.is(parts.add(part("t", "1/2", "a")), undefined);
  t.deepEqual(keysOf(parts.add(part("t", "2/2", "b"))), ["a", "b"]);
});

test("what a transaction says besides its changes may stand in any of its parts, but not in two ways", (t) => {
  const parts = new TransactionParts(LIMITS, () => t.fail());
  const saying = (position: string, said: Partial<Transaction>) => ({
    position,
    bytes: 100,
    transaction: { id: "t", changes: [change(position)], ...said },
  });
  parts.add(saying("2/3", {}));
  parts.add(saying("1/3", { mode: "REPLACE", description: "new" }));
  const whole = parts.add(saying("3/3", { mode: "REPLACE", atomic: true }));
  t.like(whole, { id: "t", mode: "REPLACE", atomic: true, description: "new" });
  t.deepEqual(keysOf(whole), ["1/3", "2/3", "3/3"]);

  parts.add(saying("1/2", { mode: "REPLACE" }));
  const error = t.throws<InvalidInputError>(() => parts.add(saying("2/2", { mode: "UPDATE" })));
  t.is(error?.code, "BAD_PART");
  t.regex(error?.message ?? "", /mode: is UPDATE, and REPLACE in a part/);
  t.is(parts.add(saying("2/2", {})), undefined, "the whole transaction is gone");
  parts.close();
});

test("what never completes is dropped and told of", async (t) => {
  const dropped: DroppedTransaction[] = [];
  const parts = new TransactionParts({ ...LIMITS, timeLimit: 20 }, (one) => dropped.push(one));
  parts.add(part("t", "1/3"));
  await eventually(() => dropped.length === 1);
  t.like(dropped[0], { id: "t", received: 1, expected: 3 });
  t.is(parts.add(part("t", "2/3")), undefined, "it begins anew");
  parts.close();
});
