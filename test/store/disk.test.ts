import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { SouthboundError } from "#core/errors.js";
import { Health, type PluginHealth } from "#core/health/index.js";
import { eventually } from "#test/support/eventually.js";
import { run } from "#test/support/sandbox.js";
import { answer, contentOf, type OpenStore, openStore, temporaryDirectory, values } from "./support.js";

/** A file system of its own, so that it can be full. Gone after the test. */
async function fileSystem(t: ExecutionContext, options: string): Promise<string> {
  const directory = temporaryDirectory(t);
  await run(["mount", "-t", "tmpfs", "-o", options, "tenuto-test", directory]);
  t.teardown(() => run(["umount", "--lazy", directory]));
  return directory;
}

function healthOf({ agent }: OpenStore): PluginHealth | undefined {
  return agent
    .get(Health)
    .plugins()
    .find(({ plugin }) => plugin === "store");
}

test("a read-only directory is refused with what to set", async (t) => {
  const directory = await fileSystem(t, "ro");
  const error = await t.throwsAsync(openStore(t, { directory }));
  t.regex(error?.message ?? "", /the store cannot use .*read-only.*Set store\.directory/i);
});

test("a full disk fails the write, degrades health, and is made up for once there is room", async (t) => {
  const parent = await fileSystem(t, "size=2m");
  const directory = join(parent, "store");
  const ballast = join(parent, "ballast");
  const opened = await openStore(t, { directory });
  await opened.store.write(values({ before: {} }));
  writeFileSync(ballast, Buffer.alloc(1_900_000));

  const big = { text: "0123456789abcdef".repeat(20_000) };
  const update = { ...values({ during: big }), result: answer("during") };
  const error = await t.throwsAsync(opened.store.write(update), { instanceOf: SouthboundError });
  t.regex(error?.message ?? "", new RegExp(`cannot write ${directory}: .*space`, "i"));
  t.like(healthOf(opened), { state: "degraded" });
  t.regex(healthOf(opened)?.reason ?? "", /records wait/);
  t.deepEqual(await opened.store.result("during"), answer("during"), "it is known nevertheless");

  rmSync(ballast);
  await opened.store.write(values({ after: {} }));
  await eventually(() => healthOf(opened)?.state === "ok");
  await opened.agent.close();
  const again = await openStore(t, { directory });
  t.false(again.store.damaged);
  t.deepEqual(Object.keys(contentOf(again).store ?? {}).sort(), ["after", "before", "during"]);
  t.deepEqual(await again.store.result("during"), answer("during"));
});

test("a directory that is a FIFO or a device is refused, and stays what it is", async (t) => {
  const parent = temporaryDirectory(t);
  const made = ["mkfifo fifo", "mknod device c 1 3"].map(async (command) => {
    // A user namespace may make no devices.
    await run(["sh", "-c", `cd ${parent} && ${command}`]).catch(() => "");
  });
  await Promise.all(made);
  for (const name of readdirSync(parent)) {
    const directory = join(parent, name);
    const before = statSync(directory, { bigint: true });
    for (const southbound of ["", "/store"]) {
      const error = await t.throwsAsync(openStore(t, { directory: directory + southbound }));
      t.regex(error?.message ?? "", /the store cannot use .*Set store\.directory/);
    }
    const { ino, mode, rdev } = statSync(directory, { bigint: true });
    t.deepEqual({ ino, mode, rdev }, { ino: before.ino, mode: before.mode, rdev: before.rdev }, name);
  }
  t.true(readdirSync(parent).includes("fifo"));
});

test("a store whose disk is full, or can only be read, is read at the start, and written when it can be", async (t) => {
  const ways: readonly (readonly [
    fill: (parent: string) => unknown,
    free: (parent: string) => unknown,
    reason: RegExp,
  ])[] = [
    [
      (parent) => run(["sh", "-c", `head -c 10M /dev/zero >${parent}/ballast || true`]),
      (parent) => rmSync(join(parent, "ballast")),
      /cannot write .*space/i,
    ],
    [
      (parent) => run(["mount", "-o", "remount,ro", parent]),
      (parent) => run(["mount", "-o", "remount,rw", parent]),
      /cannot write .*read-only/i,
    ],
  ];
  for (const [fill, free, reason] of ways) {
    const parent = await fileSystem(t, "size=1m");
    const directory = join(parent, "store");
    const first = await openStore(t, { directory });
    await first.store.write({ ...values({ before: {}, gone: {} }), result: answer("before"), complete: true });
    await first.agent.close();
    await fill(parent);

    const second = await openStore(t, { directory });
    t.deepEqual(contentOf(second), { store: { before: {}, gone: {} } });
    t.deepEqual(await second.store.result("before"), answer("before"));
    t.true(second.store.complete);
    t.like(healthOf(second), { state: "degraded" });
    t.regex(healthOf(second)?.reason ?? "", reason);
    await t.throwsAsync(second.store.write(values({ during: {} })), { message: reason });

    await free(parent);
    await second.store.write(values({ after: {}, gone: undefined }));
    await eventually(() => healthOf(second)?.state === "ok");
    await second.agent.close();
    const third = await openStore(t, { directory });
    t.deepEqual(contentOf(third), { store: { before: {}, during: {}, after: {} } });
    t.deepEqual(await third.store.result("before"), answer("before"));
    t.like(third.store, { damaged: false, complete: true });
    await third.agent.close();
  }
});

test("what a full disk kept from being stored is missed after a crash, and the store says so", async (t) => {
  const parent = await fileSystem(t, "size=1m");
  const directory = join(parent, "store");
  const first = await openStore(t, { directory });
  await first.store.write({ ...values({ before: {} }), complete: true });
  await first.agent.close();
  await run(["sh", "-c", `head -c 10M /dev/zero >${parent}/ballast || true`]);
  const second = await openStore(t, { directory });
  await t.throwsAsync(second.store.write(values({ during: {} })));
  // Closing makes a last attempt, which fails like a crash.
  await second.agent.close();
  rmSync(join(parent, "ballast"));
  const third = await openStore(t, { directory });
  t.deepEqual(contentOf(third), { store: { before: {} } });
  t.false(third.store.complete);
  t.regex(third.store.incompleteness ?? "", /could not be written, and lacks the last write/);
});
