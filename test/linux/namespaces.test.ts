import { access, rm, symlink, writeFile } from "node:fs/promises";
import test from "ava";
import { interfaceKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { ip, link, run } from "#test/support/sandbox.js";
import { carries, dropInterface, NetworkAgent, states, wantInterface } from "./support/network.js";

let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("places");
});
test.afterEach.always(() => agent.close());

const place = (reference: string) => ({ namespace: { type: "NSID", reference } }) as const;
const a = { name: "a", type: "VETH", enabled: true, ...place("red"), veth: { peer_if_name: "b" } } as const;
const b = { name: "b", type: "VETH", enabled: true, veth: { peer_if_name: "a" } } as const;

const exists = (name: string) =>
  access(`/run/netns/${name}`).then(
    () => true,
    () => false,
  );
const gone = (name: string) => eventually(async () => !(await exists(name)), { what: `namespace ${name} to go` });

test.serial("a named namespace is made when missing, marked, and removed when nothing needs it", async (t) => {
  await agent.commit(wantInterface(a), wantInterface(b));
  const [lo] = await ip<{ ifalias?: string }>("link", "show", "lo", { namespace: "red" });
  t.is(lo?.ifalias, "tenuto:places");
  await agent.commit(dropInterface("a"), dropInterface("b"));
  await t.notThrowsAsync(gone("red"));
});

test.serial("it stays while a value that wants to be in it is pending", async (t) => {
  await agent.commit(wantInterface(a), wantInterface(b));
  await agent.commit(dropInterface("b"));
  t.is(agent.status(interfaceKey("a")).state, "PENDING");
  await agent.commit(wantInterface({ ...b, name: "other", veth: { peer_if_name: "nobody" } }));
  t.true(await exists("red"));
  await agent.commit(dropInterface("a"));
  await t.notThrowsAsync(gone("red"));
});

for (const [namespace, label] of [
  [{ type: "PID", reference: "4194304" }, "process 4194304"],
  [{ type: "FD", reference: "/run/no/such/namespace" }, "namespace file /run/no/such/namespace"],
] as const) {
  test.serial(`a namespace that is not there is waited for: ${label}`, async (t) => {
    await agent.commit(wantInterface({ ...a, namespace }), wantInterface(b));
    t.like(agent.status(interfaceKey("a")), { state: "PENDING", details: [label] });
    await agent.commit(wantInterface({ ...a, namespace: {} }));
    t.is(agent.status(interfaceKey("a")).state, "CONFIGURED");
    const record = await agent.commit(wantInterface({ ...a, namespace }));
    t.is(record.error, "");
    t.is(agent.status(interfaceKey("a")).state, "PENDING");
  });
}

test.serial("a move from one namespace to another removes the first", async (t) => {
  await agent.commit(wantInterface(a), wantInterface(b));
  const record = await agent.commit(wantInterface({ ...a, ...place("blue") }));
  t.is(record.error, "");
  t.true(carries(await link("a", { namespace: "blue" })));
  await t.notThrowsAsync(gone("red"));
  await agent.resync();
  await t.notThrowsAsync(gone("blue"));
});

test.serial("a namespace that somebody else made is used, and stays", async (t) => {
  await run(["ip", "netns", "add", "theirs"]);
  await agent.commit(wantInterface({ ...a, ...place("theirs") }), wantInterface(b));
  t.true(carries(await link("a", { namespace: "theirs" })));
  await agent.resync();
  t.true(await exists("theirs"));
  t.is(await link("a", { namespace: "theirs" }), undefined);
});

test.serial("a namespace of ours in which somebody put an interface stays", async (t) => {
  await agent.commit(wantInterface(a), wantInterface({ ...b, ...place("blue") }));
  await run(["ip", "link", "add", "guest", "type", "bridge"], { namespace: "red" });
  await agent.commit(dropInterface("a"), dropInterface("b"));
  await gone("blue");
  t.true(await exists("red"));
  await run(["ip", "link", "delete", "guest"], { namespace: "red" });
  await agent.resync();
  await t.notThrowsAsync(gone("red"));
});

test.serial("a restarted agent removes a namespace it made, once nothing needs it", async (t) => {
  await agent.commit(wantInterface(a), wantInterface(b));
  await agent.close();
  t.true(await exists("red"));
  agent = await NetworkAgent.start("places");
  await agent.resync();
  await t.notThrowsAsync(gone("red"));
});

test.serial("a namespace that vanished is made again by a resync", async (t) => {
  await agent.commit(wantInterface(a), wantInterface(b));
  await run(["ip", "netns", "delete", "red"]);
  const record = await eventually(async () => {
    const resync = await agent.scheduler.resyncDownstream();
    return agent.status(interfaceKey("a")).state === "CONFIGURED" && (await exists("red")) && resync;
  });
  t.is(record.error, "", JSON.stringify(states(record)));
  t.true(carries(await link("a", { namespace: "red" })));
  t.true(carries(await link("b")));
  await agent.resync();
});

test.serial(
  "a value in the namespace of a microservice waits for it, also where there is no container engine",
  async (t) => {
    await agent.commit(
      wantInterface({ ...a, namespace: { type: "MICROSERVICE", reference: "web" } }),
      wantInterface(b),
    );
    t.true(agent.status(interfaceKey("a")).details.includes("microservice web"));
    t.is(agent.status(interfaceKey("b")).state, "PENDING");
  },
);

test.serial("a namespace that exists only for a loopback outlives the agent, and its return", async (t) => {
  const loop = wantInterface({ name: "loop", type: "LOOPBACK", enabled: true, ...place("kept") });
  await agent.commit(loop);
  await agent.close();
  t.true(await exists("kept"));
  agent = await NetworkAgent.start("places");
  await agent.resync(loop);
  t.is(agent.status(interfaceKey("loop")).state, "CONFIGURED");
  t.true(await exists("kept"));
  await agent.resync();
  await t.notThrowsAsync(gone("kept"));
});

test.serial("what an agent left behind that was killed while it made a namespace is used or removed", async (t) => {
  await agent.commit(wantInterface(a), wantInterface(b));
  // The file, and the marked namespace that nothing is in yet.
  await writeFile("/run/netns/blue", "", { mode: 0 });
  await run(["ip", "netns", "add", "half"]);
  await run(["ip", "link", "set", "lo", "alias", "tenuto:places"], { namespace: "half" });
  const record = await agent.commit(wantInterface({ ...a, ...place("blue") }));
  t.is(record.error, "");
  t.true(carries(await link("a", { namespace: "blue" })));
  await agent.resync(wantInterface(a), wantInterface(b));
  await t.notThrowsAsync(gone("half"));
  await t.notThrowsAsync(gone("blue"));
});

test.serial("what is no network namespace fails its values by name, holds nothing up, and can be mended", async (t) => {
  await run(["mkfifo", "/run/pipe"]);
  await symlink("/dev/zero", "/run/netns/device");
  for (const [namespace, reason] of [
    [{ type: "FD", reference: "/run/pipe" }, /namespace\.reference: .*\/run\/pipe is a FIFO, not a network namespace/],
    [{ type: "FD", reference: "/dev/zero" }, /\/dev\/zero is a device/],
    [{ type: "FD", reference: "/proc/self/ns/mnt" }, /of another kind/],
    [{ type: "NSID", reference: "device" }, /namespace device: .* is a device/],
  ] as const) {
    await agent.commit(wantInterface({ ...a, namespace }), wantInterface(b));
    t.regex(agent.status(interfaceKey("a")).error, reason);
  }
  const record = await agent.commit(wantInterface({ ...a, namespace: {} }));
  t.is(record.error, "");
  t.true(carries(await link("a")));
  await rm("/run/netns/device");
  await agent.resync();
});
