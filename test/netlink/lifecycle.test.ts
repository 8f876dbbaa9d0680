import { readdirSync } from "node:fs";
import { readlink } from "node:fs/promises";
import test from "ava";
import { NetlinkRoom } from "#plugins/netlink/room.js";
import { eventually } from "#test/support/eventually.js";
import { addPair, defaultOptions, openNamespace, openRoom } from "./support.js";

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

test.serial("what a room opens it closes", async (t) => {
  const cycle = async () => {
    const room = new NetlinkRoom(defaultOptions);
    await room.start();
    await room.createNamed("leak");
    const first = await room.open({ kind: "named", name: "leak" });
    const second = await room.open({ kind: "named", name: "leak" });
    await first.subscribe(["link", "route"], () => undefined);
    room.watchNamed(() => undefined);
    await t.throwsAsync(room.open({ kind: "path", path: "/proc/self/status" }));
    await Promise.all([first.linkAdd({ name: "br", kind: "bridge" }), second.linkList()]);
    first.close();
    first.close();
    await room.deleteNamed("leak");
    await room.close();
    await room.close();
  };
  // The first opens what stays for the life of the process.
  await cycle();
  const before = openDescriptors();
  for (let i = 0; i < 5; i++) await cycle();
  t.is(openDescriptors(), before);
});

test.serial("a namespace's descriptors close with its last handle", async (t) => {
  const room = await openRoom(t);
  await room.createNamed("last");
  const before = openDescriptors();
  const handles = await Promise.all(Array.from({ length: 3 }, () => room.open({ kind: "named", name: "last" })));
  await handles[0]!.subscribe(["link"], () => undefined);
  t.is(openDescriptors(), before + 3, "the namespace, requests, events");
  for (const handle of handles) handle.close();
  await eventually(() => openDescriptors() === before);
});

test.serial("requests in flight when the room closes are carried out", async (t) => {
  const room = await openRoom(t);
  const namespace = await openNamespace(t, await openRoom(t), "flight");
  const inFlight = (await room.open({ kind: "named", name: "flight" })).linkAdd({ name: "br", kind: "bridge" });
  await room.close();
  await t.notThrowsAsync(inFlight);
  t.truthy(await namespace.linkByName("br"));
  t.throws(() => room.default, { code: "NETLINK_NOT_RUNNING" });
});

test.serial(
  "when the worker crashes, everything in flight and everything after is rejected, and it is reported",
  async (t) => {
    const crashes: Error[] = [];
    const room = await openRoom(t, { onCrash: (error) => crashes.push(error) });
    const namespace = room.default;
    const heard: string[] = [];
    await namespace.subscribe(["link"], ({ type }) => heard.push(type));
    const { running } = room as unknown as { running: { channel: { post(message: unknown): void } } };
    // A message that no worker understands stands for a bug of ours.
    running.channel.post(undefined);
    const results = await Promise.allSettled([
      namespace.linkList(),
      room.createNamed("x"),
      room.open({ kind: "pid", pid: 1 }),
    ]);
    t.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected", "rejected"],
    );
    await t.throwsAsync(namespace.linkList(), { code: "NETLINK_CRASHED" });
    await t.throwsAsync(room.createNamed("x"), { code: "NETLINK_CRASHED" });
    t.is(crashes.length, 1);
    t.deepEqual(heard, ["closed"]);
  },
);

test.serial("many rooms live side by side in a process", async (t) => {
  const rooms = await Promise.all(Array.from({ length: 20 }, () => openRoom(t)));
  const namespace = await openNamespace(t, rooms[0]!, "shared");
  await addPair(namespace, "eth");
  const seen = await Promise.all(
    rooms.map(async (room) => (await room.open({ kind: "named", name: "shared" })).linkByName("eth")),
  );
  t.true(seen.every((link) => link?.name === "eth"));
});

/** The namespaces that the threads of this process are in. Some threads of Node are older than the sandbox. */
async function namespacesOfThreads(): Promise<ReadonlySet<string>> {
  const links = readdirSync("/proc/self/task").map((thread) => readlink(`/proc/self/task/${thread}/ns/net`));
  return new Set(await Promise.all(links));
}

test.serial("the thread's way into another namespace is never seen by the rest of the process", async (t) => {
  const before = await namespacesOfThreads();
  const room = await openRoom(t);
  const own = await room.default.linkList();
  const names = Array.from({ length: 20 }, (_, i) => `hop-${i}`);
  await Promise.all(names.map((name) => room.createNamed(name)));
  const handles = await Promise.all(names.map((name) => room.open({ kind: "named", name })));
  await Promise.all(handles.map((handle, i) => handle.linkAdd({ name: `only-${i}`, kind: "bridge" })));
  for (const [i, handle] of handles.entries()) {
    t.deepEqual(
      (await handle.linkList()).map(({ name }) => name),
      ["lo", `only-${i}`],
    );
  }
  t.deepEqual(
    (await room.default.linkList()).map(({ name }) => name),
    own.map(({ name }) => name),
  );
  t.deepEqual(await namespacesOfThreads(), before);
});
