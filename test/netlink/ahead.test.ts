import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { endThreadAhead, startThreadAhead } from "#plugins/netlink/ahead.js";
import { projectRoot } from "#test/support/project.js";
import { openRoom } from "./support.js";

function threads(): number {
  return readdirSync("/proc/self/task").length;
}

test.serial("the first room takes the thread that was started ahead, the next starts one of its own", async (t) => {
  await openRoom(t);
  const before = threads();
  startThreadAhead();
  t.is(threads(), before + 1);
  const first = await openRoom(t);
  t.is(threads(), before + 1);
  const second = await openRoom(t);
  t.is(threads(), before + 2);
  await endThreadAhead();
  t.is(threads(), before + 2, "there was none left to end");
  for (const room of [first, second])
    t.deepEqual(
      (await room.default.linkList()).map(({ name }) => name),
      ["lo"],
    );
});

test.serial("a thread that nobody takes is ended, and a room starts its own", async (t) => {
  await openRoom(t);
  const before = threads();
  startThreadAhead();
  await endThreadAhead();
  t.is(threads(), before);
  t.truthy((await openRoom(t)).default);
});

test("a thread that nobody takes does not keep its process", async (t) => {
  const ahead = JSON.stringify(join(projectRoot, "dist/plugins/netlink/ahead.js"));
  const code = `import { startThreadAhead } from ${ahead}; startThreadAhead();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", code], { stdio: "ignore" });
  t.is(await new Promise((resolve) => child.once("exit", resolve)), 0);
});
