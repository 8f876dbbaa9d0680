import test from "ava";
import { MemoryKeeper } from "#core/agent/memory.js";

const MiB = 1024 * 1024;

test("memory is collected when the process rests after much work, and at no other time", (t) => {
  let used = 100 * MiB;
  let busy = 0;
  let collections = 0;
  let givenBack = 0;
  const keeper = new MemoryKeeper({
    used: () => used,
    busy: () => busy,
    collect: () => {
      collections++;
      used = 120 * MiB;
    },
    giveBack: () => {
      givenBack++;
    },
  });
  keeper.look();
  t.is(collections, 0, "nothing has come");
  used = 300 * MiB;
  busy = 0.9;
  keeper.look();
  t.is(collections, 0, "it works");
  busy = 0.01;
  keeper.look();
  t.is(collections, 1, "it rests");
  t.is(givenBack, 0, "what garbage held is still being freed");
  keeper.look();
  t.is(givenBack, 1);
  t.is(collections, 1, "what is left lives");
  used = 130 * MiB;
  keeper.look();
  t.is(collections, 1, "a little is not worth it");
  t.is(givenBack, 1);
  used = 60 * MiB;
  keeper.look();
  used = 95 * MiB;
  keeper.look();
  t.is(collections, 2, "it is compared with what was left by V8 itself");
});
