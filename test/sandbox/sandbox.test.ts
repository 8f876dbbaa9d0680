import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { isMainThread, Worker } from "node:worker_threads";
import test from "ava";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, deleteNamespace, ip, link, links, namespaces, run } from "#test/support/sandbox.js";

const linksAtStart = await links();

/** A program that reports the network and mount namespace of its thread. */
const REPORT = `
  const { readlinkSync } = require("node:fs");
  const of = (kind) => readlinkSync("/proc/thread-self/ns/" + kind);
  require("node:worker_threads").parentPort.postMessage([of("net"), of("mnt")]);
`;

/** The namespace of this process, and that of the process that started it (ava). */
async function namespaceOf(kind: "net" | "mnt"): Promise<{ own: string; parent: string }> {
  const [own, parent] = await Promise.all([
    readlink(`/proc/self/ns/${kind}`),
    readlink(`/proc/${process.ppid}/ns/${kind}`),
  ]);
  return { own, parent };
}

test("a test process has a network and a mount namespace of its own", async (t) => {
  for (const kind of ["net", "mnt"] as const) {
    const { own, parent } = await namespaceOf(kind);
    t.not(own, parent);
  }
});

test("it sees no link of the host, only its own loopback, which is up", (t) => {
  t.deepEqual(
    linksAtStart.map(({ ifname, flags }) => ({ ifname, up: flags.includes("UP") })),
    [{ ifname: "lo", up: true }],
  );
});

test("libuv's thread pool works in the sandbox: asynchronous file access sees its /run", async (t) => {
  await createNamespace("pool");
  const [viaPool, viaIp] = await Promise.all([readdir("/run/netns"), namespaces()]);
  t.true(viaPool.includes("pool"));
  t.deepEqual([...viaPool].sort(), [...viaIp].sort());
  await deleteNamespace("pool");
  await t.throwsAsync(stat("/run/netns/pool"), { code: "ENOENT" });
});

test("threads started later are in the sandbox", async (t) => {
  t.true(isMainThread);
  const worker = new Worker(REPORT, { eval: true });
  const seen = await new Promise<unknown>((resolve, reject) => worker.once("message", resolve).once("error", reject));
  t.deepEqual(seen, [await readlink("/proc/self/ns/net"), await readlink("/proc/self/ns/mnt")]);
});

test("only V8's own threads stay outside; none of them does I/O", async (t) => {
  const { parent } = await namespaceOf("net");
  const outside: string[] = [];
  for (const id of await readdir("/proc/self/task")) {
    const net = await readlink(`/proc/self/task/${id}/ns/net`).catch(() => undefined);
    if (net === parent) outside.push((await readFile(`/proc/self/task/${id}/comm`, "utf8")).trim());
  }
  t.true(outside.length <= 6, `threads outside: ${outside.join(" ")}`);
  t.false(outside.some((name) => name.startsWith("libuv")));
});

test("programs that a test starts are in the sandbox too", async (t) => {
  t.is((await run(["readlink", "/proc/self/ns/net"])).trim(), await readlink("/proc/self/ns/net"));
});

test("named namespaces and links in them live in the sandbox", async (t) => {
  await createNamespace("red");
  await ip("link", "add", "seen", "type", "veth", "peer", "name", "other", "netns", "red");
  t.is((await link("other", { namespace: "red" }))?.linkinfo?.info_kind, "veth");
  await deleteNamespace("red");
  await eventually(async () => (await link("seen")) === undefined, { what: "the veth pair to go with its namespace" });
});

test("eventually gives what the probe gave, and says why it gave up", async (t) => {
  t.is(await eventually(() => 42), 42);
  await t.throwsAsync(
    eventually(
      () => {
        throw new Error("still blue");
      },
      { timeout: 1, what: "it to be red" },
    ),
    { message: "waited 1 ms for it to be red: still blue" },
  );
});
