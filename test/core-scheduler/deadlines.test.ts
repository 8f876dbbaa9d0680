import test from "ava";
import { Deadlines } from "#core/scheduler/execute/deadlines.js";
import { FakeClock } from "./fake-clock.js";

const HOUR = 3_600_000;

for (const [what, jump] of [
  ["an hour forward", HOUR],
  ["an hour back", -HOUR],
] as const) {
  test(`a deadline is met in its time when the clock is set ${what}`, (t) => {
    const clock = new FakeClock();
    const expired: number[] = [];
    const deadlines = new Deadlines(
      clock,
      1_000,
      () => true,
      (id) => expired.push(id),
    );
    deadlines.add(1);
    clock.advance(600);
    deadlines.add(2);
    clock.jump(jump);
    clock.advance(399);
    t.deepEqual(expired, []);
    clock.advance(1);
    t.deepEqual(expired, [1]);
    clock.advance(600);
    t.deepEqual(expired, [1, 2]);
  });
}
