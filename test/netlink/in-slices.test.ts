import { setImmediate as nextTurn } from "node:timers/promises";
import test from "ava";
import { InSlices } from "#plugins/netlink/namespace/in-slices.js";

test("the first item is handled at once, what piles up behind it in order, and others get their turn in between", async (t) => {
  const handled: number[] = [];
  const slices = new InSlices<number>((item) => {
    handled.push(item);
    // Longer than a slice.
    const end = performance.now() + 2;
    while (performance.now() < end);
  });
  const items = Array.from({ length: 5 }, (_, i) => i);
  for (const item of items) slices.add(item);
  t.deepEqual(handled, [0]);
  const seen: number[] = [];
  while (handled.length < items.length) {
    await nextTurn();
    seen.push(handled.length);
  }
  t.deepEqual(handled, items);
  t.deepEqual(seen, [2, 3, 4, 5]);
});

test("what is cleared is not handled, also from within", async (t) => {
  const handled: string[] = [];
  const slices = new InSlices<string>((item) => {
    handled.push(item);
    if (item === "b") slices.clear();
  });
  for (const item of ["a", "b", "c"]) slices.add(item);
  await nextTurn();
  await nextTurn();
  t.deepEqual(handled, ["a", "b"]);
  slices.add("d");
  t.deepEqual(handled, ["a", "b", "d"]);
});
