import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import test from "ava";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, deleteNamespace, links, namespaces, run } from "#test/support/sandbox.js";
import { linkNamed, openNetlink } from "./support.js";

test("ip-netns can use a namespace that the client makes, loopback up, and the other way round", async (t) => {
  const netlink = await openNetlink(t);
  await netlink.createNamed("ours");
  await createNamespace("theirs");
  t.true((await namespaces()).includes("ours"));
  t.like(await links({ namespace: "ours" }), { length: 1, 0: { ifname: "lo" } });
  const ours = await netlink.open({ kind: "named", name: "ours" });
  const theirs = await netlink.open({ kind: "named", name: "theirs" });
  t.true((await linkNamed(ours, "lo")).up);
  t.not(ours.identity, theirs.identity);
  t.not(ours.identity, netlink.default.identity);
  const listed = await netlink.listNamed();
  t.true(listed.includes("ours") && listed.includes("theirs"));
  ours.close();
  theirs.close();
  await deleteNamespace("ours");
  await netlink.deleteNamed("theirs");
  const left = await namespaces();
  t.false(left.includes("ours") || left.includes("theirs"));
});

test("one namespace has one identity, however it is found", async (t) => {
  const netlink = await openNetlink(t);
  await netlink.createNamed("many-names");
  const inside = spawn("nsenter", ["--net=/run/netns/many-names", "sleep", "600"], { stdio: "ignore" });
  t.teardown(() => inside.kill());
  const named = await netlink.open({ kind: "named", name: "many-names" });
  const byPath = await netlink.open({ kind: "path", path: "/run/netns/many-names" });
  const byProcess = await eventually(async () => {
    const handle = await netlink.open({ kind: "pid", pid: inside.pid ?? 0 });
    return handle.identity === named.identity && handle;
  });
  const own = await netlink.open({ kind: "pid", pid: process.pid });
  t.is(byPath.identity, named.identity);
  t.is(byProcess.fd, named.fd, "and one connection");
  t.is(own.identity, netlink.default.identity);
  named.close();
  await byPath.linkAdd({ name: "br", kind: "bridge" });
  t.truthy(await byProcess.linkByName("br"));
  await t.throwsAsync(named.linkList(), { code: "EBADF" });
});

const odd = "/run/odd/netns";
const missing = [
  { ref: { kind: "named", name: "no-such" }, code: "ENOENT", message: /^open network namespace no-such: / },
  { ref: { kind: "pid", pid: 4_194_305 }, code: "ENOENT", message: /process 4194305/ },
  { ref: { kind: "path", path: "/run/nowhere" }, code: "ENOENT", message: /\/run\/nowhere/ },
  {
    ref: { kind: "path", path: "/proc/self/status" },
    code: "EINVAL",
    message: /open network namespace \/proc\/self\/status: \/proc\/self\/status is a file, not a network namespace/,
  },
  { ref: { kind: "path", path: "/proc/self/ns/mnt" }, code: "EINVAL", message: /is a namespace of another kind/ },
  { ref: { kind: "path", path: "/dev/zero" }, code: "EINVAL", message: /\/dev\/zero is a device, not a network/ },
  { ref: { kind: "path", path: "/run/fifo" }, code: "EINVAL", message: /\/run\/fifo is a FIFO, not a network/ },
  { ref: { kind: "path", path: "/run/to-fifo" }, code: "EINVAL", message: /\/run\/to-fifo is a FIFO/ },
  { ref: { kind: "path", path: "/run/loop" }, code: "ELOOP", message: /\/run\/loop/ },
  { ref: { kind: "named", name: "fifo" }, code: "EINVAL", message: /^open network namespace fifo: .* is a FIFO/ },
  { ref: { kind: "named", name: "to-fifo" }, code: "EINVAL", message: /^open network namespace to-fifo: .* is a FIFO/ },
  {
    ref: { kind: "named", name: "left" },
    code: "ENOENT",
    message: /no namespace is mounted on \/run\/odd\/netns\/left/,
  },
  { ref: { kind: "pid", pid: process.pid, startTime: "1" }, code: "ESRCH", message: /another one has its id now/ },
  { ref: { kind: "named", name: "../etc" }, code: "INVALID_VALUE", message: /"\.\.\/etc" cannot be the name/ },
] as const;

test.before(async () => {
  // Not in /run/netns, where ip-netns(8) opens whatever there is, and waits.
  mkdirSync(odd, { recursive: true });
  writeFileSync(`${odd}/left`, "");
  await run(["mkfifo", "/run/fifo", `${odd}/fifo`]);
  await run(["ln", "-s", "/run/fifo", "/run/to-fifo"]);
  await run(["ln", "-s", "/run/fifo", `${odd}/to-fifo`]);
  await run(["ln", "-s", "loop", "/run/loop"]);
});

for (const { ref, code, message } of missing) {
  test(`opening ${JSON.stringify(ref)} fails with ${code}`, async (t) => {
    const netlink = await openNetlink(t, { netnsDirectory: odd });
    await t.throwsAsync(netlink.open(ref), { code, message });
    t.deepEqual((await netlink.default.linkList({ kind: "bridge" })).length, 0, "and the client goes on");
  });
}

test("a name that is taken is refused, and a file left over under a name is not in the way", async (t) => {
  const netlink = await openNetlink(t);
  await netlink.createNamed("taken");
  await t.throwsAsync(netlink.createNamed("taken"), { code: "EEXIST", message: /^create network namespace taken: / });
  t.true((await netlink.listNamed()).includes("taken"));
  mkdirSync("/run/netns", { recursive: true });
  writeFileSync("/run/netns/left-over", "");
  t.false((await netlink.listNamed()).includes("left-over"));
  await netlink.createNamed("left-over");
  t.true((await netlink.listNamed()).includes("left-over"));
  await t.throwsAsync(netlink.deleteNamed("never-was"), { code: "ENOENT" });
});

test("what is no file is in the way of a name, and is named", async (t) => {
  const netlink = await openNetlink(t, { netnsDirectory: odd });
  await t.throwsAsync(netlink.createNamed("fifo"), { code: "EEXIST", message: /a FIFO is in the way: remove it/ });
  await t.throwsAsync(netlink.createNamed("to-fifo"), { code: "EEXIST", message: /a symbolic link is in the way/ });
  t.deepEqual(await netlink.listNamed(), []);
});

test("the name of a container's namespace may be a link to it", async (t) => {
  const netlink = await openNetlink(t);
  await netlink.createNamed("container");
  await run(["ln", "-s", "/run/netns/container", "/run/netns/nickname"]);
  const [container, nickname] = await Promise.all(
    ["container", "nickname"].map((name) => netlink.open({ kind: "named", name })),
  );
  t.is(nickname?.identity, container?.identity);
  t.true((await netlink.listNamed()).includes("nickname"));
  await netlink.deleteNamed("nickname").catch(() => undefined);
  t.true((await netlink.listNamed()).includes("container"), "a link that is removed leaves what it led to");
  for (const handle of [container, nickname]) handle?.close();
});

/** Makes the namespace `red` in a process that kills itself at that moment. */
function killedWhile(moment: "inside" | "after"): Promise<unknown> {
  const kill = `process.kill(process.pid, "SIGKILL")`;
  const program = [
    `import { openSync } from "node:fs"`,
    `import { createAt } from "#plugins/netlink/sys/namespaces.js"`,
    `createAt("/run/netns", "/run/netns/killed", openSync("/proc/thread-self/ns/net"), () => {${moment === "inside" ? kill : ""}})`,
    kill,
  ].join("; ");
  return run(["node", "--input-type=module", "--eval", program]);
}

test.serial("a process that is killed while it makes a namespace leaves nothing that has a name", async (t) => {
  const netlink = await openNetlink(t);
  await t.throwsAsync(killedWhile("inside"), { message: /SIGKILL|Command failed/ });
  t.false((await run(["ls", "/run/netns"])).includes("killed"));
  await t.throwsAsync(killedWhile("after"), { message: /SIGKILL|Command failed/ });
  t.true((await netlink.listNamed()).includes("killed"));
});

test("a namespace has its mark before it can be found", async (t) => {
  const netlink = await openNetlink(t);
  const marks: (string | undefined)[] = [];
  const stop = netlink.watchNamed(({ name, created }) => {
    if (!name.startsWith("marked-") || !created) return;
    void netlink.open({ kind: "named", name }).then(async (handle) => {
      marks.push((await handle.linkByIndex(1))?.alias);
      handle.close();
    });
  });
  for (const name of ["marked-1", "marked-2", "marked-3"]) await netlink.createNamed(name, { alias: "tenuto:me" });
  await eventually(() => marks.length === 3);
  t.deepEqual(marks, ["tenuto:me", "tenuto:me", "tenuto:me"]);
  stop();
});

test("without a directory there are no named namespaces", async (t) => {
  const netlink = await openNetlink(t, { netnsDirectory: "/run/not-yet/netns" });
  t.deepEqual(await netlink.listNamed(), []);
  await netlink.createNamed("first");
  t.deepEqual(await netlink.listNamed(), ["first"]);
});

test("namespaces that come and go are reported, whoever makes them", async (t) => {
  const netlink = await openNetlink(t);
  await createNamespace("before");
  const seen: string[] = [];
  const stop = netlink.watchNamed(({ name, created }) => seen.push(`${created ? "+" : "-"}${name}`));
  const heard = (what: string) => eventually(() => seen.includes(what), { what });
  await createNamespace("by-ip");
  await heard("+by-ip");
  // It can be used at once: reported is the mount, not the file.
  (await netlink.open({ kind: "named", name: "by-ip" })).close();
  await netlink.createNamed("by-us");
  await heard("+by-us");
  await deleteNamespace("by-ip");
  await heard("-by-ip");
  await netlink.deleteNamed("by-us");
  await heard("-by-us");
  await deleteNamespace("before");
  await heard("-before");
  t.false(seen.includes("+before"));
  stop();
});

test("a name that leads to another namespace from one moment to the next went and came", async (t) => {
  const netlink = await openNetlink(t);
  await createNamespace("name");
  await createNamespace("other");
  const identityOf = async (name: string): Promise<string> => {
    const handle = await netlink.open({ kind: "named", name });
    handle.close();
    return handle.identity;
  };
  const [first, second] = [await identityOf("name"), await identityOf("other")];
  const seen: string[] = [];
  const stop = netlink.watchNamed(({ name, identity, created }) => {
    if (name === "name") seen.push(`${created ? "+" : "-"}${identity}`);
  });
  // Mounted over: there is no moment without a namespace under that name.
  await run(["mount", "--bind", "/run/netns/other", "/run/netns/name"]);
  await eventually(() => seen.length === 2);
  t.deepEqual(seen, [`-${first}`, `+${second}`]);
  await run(["umount", "--lazy", "/run/netns/name"]);
  await eventually(() => seen.length === 4);
  t.deepEqual(seen.slice(2), [`-${second}`, `+${first}`]);
  stop();
});
