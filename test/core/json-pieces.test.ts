import test from "ava";
import fc from "fast-check";
import { hasLongList, jsonPieces } from "#core/json-pieces.js";

test("JSON in pieces is what JSON.stringify makes, and no piece is large", (t) => {
  const anything = fc.anything({ withDate: true, maxDepth: 4 });
  const value = fc.oneof(
    anything,
    fc.array(anything, { maxLength: 200, minLength: 50 }),
    fc.record({ id: fc.string(), values: fc.array(fc.string(), { minLength: 100, maxLength: 200 }), none: anything }),
  );
  fc.assert(
    fc.property(value, (each) => {
      const whole = JSON.stringify(each) ?? "null";
      return [...jsonPieces(each)].join("") === whole;
    }),
  );
  const records = Array.from({ length: 3 }, (_, seq) => ({
    seq,
    values: Array.from({ length: 20_000 }, (_, index) => ({ key: `config/${index}`, state: "CONFIGURED" })),
  }));
  t.true(hasLongList(records));
  const pieces = [...jsonPieces(records)];
  t.is(pieces.join(""), JSON.stringify(records));
  t.true(pieces.length > 20 && pieces.every(({ length }) => length < 100_000));
});
