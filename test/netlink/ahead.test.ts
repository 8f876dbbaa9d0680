import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { endThreadAhead, startThreadAhead } from "#plugins/netlink/ahead.js";
import { projectRoot } from "#test/support/project.js";
import { openNetlink } from "./support.js";

function threads(): number {
  return readdirSync("/proc/self/task").length;
}

test.serial("the first client takes the thread that was started ahead, the next starts one of its own", async (t) => {
  await openNetlink(t);
  const before = threads();
  startThreadAhead();
  t.is(threads(), before + 1);
  const first = await openNetlink(t);
  t.is(threads(), before + 1);
  const second = await openNetlink(t);
  t.is(threads(), before + 2);
  await endThreadAhead();
  t.is(threads(), before + 2, "there was none left to end");
  for (const netlink of [first, second])
    t.deepEqual(
      (await netlink.default.linkList()).map(({ name }) => name),
      ["lo"],
    );
});

test.serial("a thread that nobody takes is ended, and a client starts its own", async (t) => {
  await openNetlink(t);
  const before = threads();
  startThreadAhead();
  await endThreadAhead();
  t.is(threads(), before);
  t.truthy((await openNetlink(t)).default);
});

test("a thread that nobody takes does not keep its process", async (t) => {
  const ahead = JSON.stringify(join(projectRoot, "dist/plugins/netlink/ahead.js"));
  const code = `import { startThreadAhead } from ${ahead}; startThreadAhead();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", code], { stdio: "ignore" });
  t.is(await new Promise((resolve) => child.once("exit", resolve)), 0);
});
