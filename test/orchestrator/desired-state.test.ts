import test from "ava";
import fc from "fast-check";
import { DesiredState } from "#plugins/orchestrator/desired-state.js";

const SOURCES = [
  ["low", 10],
  ["high", 50],
  ["equal", 50],
  ["store", 100],
] as const;
/** Who has the say, first to last. */
const RANKING = ["store", "high", "equal", "low"] as const;
const KEYS = ["a", "ab", "b", "c"] as const;

const change = fc.record({
  source: fc.constantFrom(...RANKING),
  key: fc.constantFrom(...KEYS),
  value: fc.option(fc.record({ number: fc.nat(3) }), { nil: undefined }),
});

function empty(): DesiredState {
  const desired = new DesiredState();
  for (const [source, priority] of SOURCES) desired.addSource(source, priority);
  return desired;
}

test("the value of the source that ranks highest is merged, whatever the order of changes", (t) => {
  fc.assert(
    fc.property(fc.array(change), fc.constantFrom("", "a", "b"), (changes, prefix) => {
      const desired = empty();
      const model = new Map<string, object | undefined>();
      for (const { source, key, value } of changes) {
        desired.apply(source, new Map([[key, value]]));
        model.set(`${source} ${key}`, value);
      }
      const expected = KEYS.flatMap((key) => {
        const value = RANKING.map((source) => model.get(`${source} ${key}`)).find((each) => each !== undefined);
        return value === undefined || !key.startsWith(prefix) ? [] : [{ key, value }];
      });
      t.deepEqual(desired.merged(prefix), expected);
      for (const { key, value } of expected) t.deepEqual(desired.get(key)?.value, value);
    }),
  );
  t.pass();
});

test("what a change returns undoes it", (t) => {
  fc.assert(
    fc.property(fc.array(change), fc.array(change), (before, after) => {
      const desired = empty();
      for (const { source, key, value } of before) desired.apply(source, new Map([[key, value]]));
      const merged = desired.merged();
      const undone = after.map(({ source, key, value }) => ({
        source,
        undo: desired.apply(source, new Map([[key, value]])),
      }));
      for (const { source, undo } of undone.reverse()) desired.apply(source, undo);
      t.deepEqual(desired.merged(), merged);
    }),
  );
  t.pass();
});
