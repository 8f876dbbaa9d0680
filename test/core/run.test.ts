import { fileURLToPath } from "node:url";
import test from "ava";
import { Child } from "#test/support/child.js";

const PROGRAM = fileURLToPath(new URL("support/runnable.js", import.meta.url));
const WAIT_MS = 60_000;

function run(name: string): Promise<Child> {
  return Child.start([process.execPath, PROGRAM, name]);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} closes the agent in order, and the process ends with status 0`, async (t) => {
    const child = await run("plain");
    await child.logged(/it\.afterInit/, WAIT_MS);
    child.signal(signal);
    t.deepEqual(await child.exited, { code: 0, signal: null });
    t.deepEqual(child.stdout.trim().split("\n").slice(-3), ["it.close", "first.close", "ended"]);
  });
}

test("a signal while the agent starts closes what has started", async (t) => {
  const child = await run("slow-init");
  await child.logged(/it\.init/, WAIT_MS);
  child.signal("SIGTERM");
  t.deepEqual(await child.exited, { code: 0, signal: null });
  t.is(child.stdout, "first.init\nit.init\nit.close\nfirst.close\nended\n");
});

test("a second signal ends a process that does not come to its end", async (t) => {
  const child = await run("stuck-close");
  await child.logged(/it\.afterInit/, WAIT_MS);
  child.signal("SIGINT");
  await child.logged(/it\.close/, WAIT_MS);
  child.signal("SIGINT");
  t.deepEqual(await child.exited, { code: 130, signal: null });
});

test("a run can end by itself", async (t) => {
  const child = await run("ending");
  t.deepEqual(await child.exited, { code: 0, signal: null });
  t.regex(child.stdout, /first\.close\nended\n$/);
});

test("a start that fails rejects with the plugin's name", async (t) => {
  const child = await run("failing");
  t.deepEqual(await child.exited, { code: 1, signal: null });
  t.regex(child.stdout, /it\.close\nfirst\.close\nrejected: plugin it: init failed: no such device\n$/);
});

test("an exception that nobody catches is logged as a bug with its stack, and the process ends with status 1", async (t) => {
  const child = await run("buggy");
  t.deepEqual(await child.exited, { code: 1, signal: null });
  const record = child.stderr.split("\n").find((line) => line.includes('"level":60')) ?? "{}";
  const { err, label } = JSON.parse(record);
  t.is(label, "t1");
  t.is(err.message, "a broken promise");
  t.regex(err.stack, /runnable/);
});
