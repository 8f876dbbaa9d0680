import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { machineParts } from "#test/support/machine-kernel.js";
import { projectRoot } from "#test/support/project.js";

/** How runs in the machine end that do not end well. That others do is what all tests in it show. */
const PROGRAM = join(projectRoot, "dist/test/sandbox/machine-process.js");
const TIME_LIMIT = 180_000;

/** Starts a command in a machine whose files are in a directory of its own. */
async function machine(
  t: ExecutionContext,
  script: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly child: Child; readonly directory: string }> {
  t.timeout(2 * TIME_LIMIT);
  const directory = await mkdtemp(join(tmpdir(), "tenuto-test-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const env = { TMPDIR: directory, ...environment };
  return { child: await Child.start([process.execPath, PROGRAM, "sh", "-c", script], { env }), directory };
}

/** Processes whose command line speaks of a directory. */
async function processesOf(directory: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.includes(directory));
}

test("a machine whose parts are not all there says which is missing", async (t) => {
  const { child } = await machine(t, "true", { TENUTO_CACHE: "/nowhere" });
  await child.exited;
  t.regex(child.log, /broke down: the machine cannot be started: (no kernel|no qemu|no virtiofsd|the kernel is one)/);
});

if (typeof machineParts() !== "string") {
  test.serial("a kernel that panics ends the machine, and is quoted", async (t) => {
    const { child, directory } = await machine(t, "echo before; echo c >/proc/sysrq-trigger");
    await child.exited;
    t.regex(child.log, /^before$.*broke down: the machine ended before what ran in it.*sysrq triggered crash/ims);
    t.deepEqual(await processesOf(directory), []);
  });

  test.serial("a machine that runs for too long is switched off", async (t) => {
    const { child, directory } = await machine(t, "sleep 1000", { TIME_LIMIT: "100" });
    await child.exited;
    t.regex(child.log, /broke down: the machine did not end within 0.1 s/);
    t.deepEqual(await processesOf(directory), []);
  });

  test.serial("nothing of a machine is left of a process that is killed", async (t) => {
    const { child, directory } = await machine(t, "echo it runs; exec sleep 1000");
    await child.logged(/it runs/, TIME_LIMIT);
    t.true((await processesOf(directory)).length >= 2);
    await child.kill();
    await eventually(async () => (await processesOf(directory)).length === 0);
  });
}
