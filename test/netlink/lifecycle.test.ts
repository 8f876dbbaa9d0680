import { readdirSync } from "node:fs";
import { readlink } from "node:fs/promises";
import test from "ava";
import { NetlinkClient } from "#plugins/netlink/client.js";
import { eventually } from "#test/support/eventually.js";
import { addPair, defaultOptions, openNamespace, openNetlink } from "./support.js";

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

test.serial("what a client opens it closes", async (t) => {
  const cycle = async () => {
    const netlink = new NetlinkClient(defaultOptions);
    await netlink.start();
    await netlink.createNamed("leak");
    const first = await netlink.open({ kind: "named", name: "leak" });
    const second = await netlink.open({ kind: "named", name: "leak" });
    await first.subscribe(["link", "route"], () => undefined);
    netlink.watchNamed(() => undefined);
    await t.throwsAsync(netlink.open({ kind: "path", path: "/proc/self/status" }));
    await Promise.all([first.linkAdd({ name: "br", kind: "bridge" }), second.linkList()]);
    first.close();
    first.close();
    await netlink.deleteNamed("leak");
    await netlink.close();
    await netlink.close();
  };
  // The first opens what stays for the life of the process.
  await cycle();
  const before = openDescriptors();
  for (let i = 0; i < 5; i++) await cycle();
  t.is(openDescriptors(), before);
});

test.serial("a namespace's descriptors close with its last handle", async (t) => {
  const netlink = await openNetlink(t);
  await netlink.createNamed("last");
  const before = openDescriptors();
  const handles = await Promise.all(Array.from({ length: 3 }, () => netlink.open({ kind: "named", name: "last" })));
  await handles[0]!.subscribe(["link"], () => undefined);
  t.is(openDescriptors(), before + 3, "the namespace, requests, events");
  for (const handle of handles) handle.close();
  await eventually(() => openDescriptors() === before);
});

test.serial("requests in flight when the client closes are carried out", async (t) => {
  const netlink = await openNetlink(t);
  const namespace = await openNamespace(t, await openNetlink(t), "flight");
  const inFlight = (await netlink.open({ kind: "named", name: "flight" })).linkAdd({ name: "br", kind: "bridge" });
  await netlink.close();
  await t.notThrowsAsync(inFlight);
  t.truthy(await namespace.linkByName("br"));
  t.throws(() => netlink.default, { code: "NETLINK_NOT_RUNNING" });
});

test.serial(
  "when the worker crashes, everything in flight and everything after is rejected, and it is reported",
  async (t) => {
    const crashes: Error[] = [];
    const netlink = await openNetlink(t, { onCrash: (error) => crashes.push(error) });
    const namespace = netlink.default;
    const heard: string[] = [];
    await namespace.subscribe(["link"], ({ type }) => heard.push(type));
    const { running } = netlink as unknown as { running: { channel: { post(message: unknown): void } } };
    // A message that no worker understands stands for a bug of ours.
    running.channel.post(undefined);
    const results = await Promise.allSettled([
      namespace.linkList(),
      netlink.createNamed("x"),
      netlink.open({ kind: "pid", pid: 1 }),
    ]);
    t.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected", "rejected"],
    );
    await t.throwsAsync(namespace.linkList(), { code: "NETLINK_CRASHED" });
    await t.throwsAsync(netlink.createNamed("x"), { code: "NETLINK_CRASHED" });
    t.is(crashes.length, 1);
    t.deepEqual(heard, ["closed"]);
  },
);

test.serial("many clients live side by side in a process", async (t) => {
  const clients = await Promise.all(Array.from({ length: 20 }, () => openNetlink(t)));
  const namespace = await openNamespace(t, clients[0]!, "shared");
  await addPair(namespace, "eth");
  const seen = await Promise.all(
    clients.map(async (netlink) => (await netlink.open({ kind: "named", name: "shared" })).linkByName("eth")),
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
  const netlink = await openNetlink(t);
  const own = await netlink.default.linkList();
  const names = Array.from({ length: 20 }, (_, i) => `hop-${i}`);
  await Promise.all(names.map((name) => netlink.createNamed(name)));
  const handles = await Promise.all(names.map((name) => netlink.open({ kind: "named", name })));
  await Promise.all(handles.map((handle, i) => handle.linkAdd({ name: `only-${i}`, kind: "bridge" })));
  for (const [i, handle] of handles.entries()) {
    t.deepEqual(
      (await handle.linkList()).map(({ name }) => name),
      ["lo", `only-${i}`],
    );
  }
  t.deepEqual(
    (await netlink.default.linkList()).map(({ name }) => name),
    own.map(({ name }) => name),
  );
  t.deepEqual(await namespacesOfThreads(), before);
});
