import test from "ava";
import { InterfaceReporter } from "#plugins/interface-state/reporter.js";
import { FakeClock } from "#test/core-scheduler/fake-clock.js";

/** How the changes of one interface are folded, with time in hand. */

interface Told {
  /** ms since the start. */
  readonly at: number;
  readonly mtu: number | undefined;
  readonly folded: number;
}

function follow(): { clock: FakeClock; told: Told[]; change: (mtu: number) => void; reporter: InterfaceReporter } {
  const clock = new FakeClock();
  const start = clock.now();
  const told: Told[] = [];
  const reporter = new InterfaceReporter({
    minInterval: 100,
    maxInterval: 1000,
    deltaOnly: false,
    clock,
    publish: (_type, { mtu, folded_changes: folded = 0 }) => told.push({ at: clock.now() - start, mtu, folded }),
  });
  const change = (mtu: number) => reporter.changed({ name: "flaps", mtu }, undefined);
  return { clock, told, change, reporter };
}

/** The MTU is the time of the change, ms. */
function flap({ clock, change }: ReturnType<typeof follow>, until: number, every = 10): void {
  for (let at = 0; at < until; at += every) {
    change(at);
    clock.advance(every);
  }
}

test("the first change is told at once, what follows within the interval in one notification", (t) => {
  const followed = follow();
  followed.change(1);
  t.deepEqual(followed.told, [{ at: 0, mtu: 1, folded: 0 }]);
  for (const mtu of [2, 3, 4]) followed.change(mtu);
  followed.clock.advance(1000);
  t.deepEqual(followed.told.slice(1), [{ at: 100, mtu: 4, folded: 2 }]);
});

test("while changes go on the interval doubles up to its bound, and every notification has the latest state", (t) => {
  const followed = follow();
  flap(followed, 5000);
  t.deepEqual(
    followed.told.map(({ at }) => at),
    [0, 100, 300, 700, 1500, 2500, 3500, 4500],
  );
  for (const { at, mtu } of followed.told.slice(1)) t.is(mtu, at - 10);
});

test("the last state waits for a quarter of the interval without changes, not for its end", (t) => {
  const followed = follow();
  flap(followed, 2600);
  followed.clock.advance(10_000);
  t.deepEqual(followed.told.slice(-2), [
    { at: 2500, mtu: 2490, folded: 99 },
    { at: 2840, mtu: 2590, folded: 9 },
  ]);
  t.is(followed.clock.pending, 0);
});

test("an interface that has rested is told of at once again", (t) => {
  const followed = follow();
  flap(followed, 2000);
  followed.clock.advance(2000);
  const { length } = followed.told;
  followed.change(1);
  t.deepEqual(followed.told.slice(length), [{ at: 4000, mtu: 1, folded: 0 }]);
  followed.change(2);
  followed.clock.advance(1000);
  t.deepEqual(followed.told.slice(length + 1), [{ at: 4100, mtu: 2, folded: 0 }]);
});

test("that it is gone is told at once, and nothing is left to be told", (t) => {
  const followed = follow();
  flap(followed, 150);
  followed.reporter.gone();
  t.like(followed.told.at(-1), { at: 150, folded: 4 });
  const { length } = followed.told;
  followed.clock.advance(10_000);
  t.is(followed.told.length, length);
});
