import { accessSync, constants } from "node:fs";
import { mkdir } from "node:fs/promises";
import test from "ava";
import { interfaceKey } from "#proto/index.js";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, deleteNamespace, link, run } from "#test/support/sandbox.js";
import { carries, NetworkAgent, operations, wantInterface, wantRoute } from "./support/network.js";

const inside = { name: "inside", type: "VETH", enabled: true, veth: { peer_if_name: "outside" } } as const;
const outside = {
  name: "outside",
  type: "VETH",
  enabled: true,
  ip_addresses: ["10.72.0.1/24"],
  veth: { peer_if_name: "inside" },
} as const;
const route = wantRoute({ outgoing_interface: "outside", dst_network: "10.99.0.0/16", gw_addr: "10.72.0.2" });

let agent: NetworkAgent;
test.beforeEach(async () => {
  agent = await NetworkAgent.start("lost", { "linux-namespaces": { check_interval: "50ms" } });
});
test.afterEach.always(async () => {
  await agent.resync();
  await agent.close();
});

const state = (name: string) => agent.status(interfaceKey(name)).state;
const becomes = (name: string, desired: string) =>
  eventually(() => state(name) === desired, { what: `${name} ${desired}` });

/** A process in a network namespace of its own. */
async function processElsewhere(): Promise<Child> {
  const child = await Child.start(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 1000"]);
  await child.logged(/ready/, 120_000);
  return child;
}

const inProcess = (pid: number) => wantInterface({ ...inside, namespace: { type: "PID", reference: `${pid}` } });
const named = (reference: string) => wantInterface({ ...inside, namespace: { type: "NSID", reference } });
const inFile = (reference: string) => wantInterface({ ...inside, namespace: { type: "FD", reference } });

test.serial("a process that runs is known at once; when it ends, what rests on its namespace is pending", async (t) => {
  const child = await processElsewhere();
  const record = await agent.commit(inProcess(child.pid), wantInterface(outside), route);
  t.is(record.error, "");
  t.is(state("inside"), "CONFIGURED");
  t.is(agent.status(route[0]).state, "CONFIGURED");
  await child.kill();
  await becomes("inside", "PENDING");
  t.deepEqual(agent.status(interfaceKey("inside")).details, [`process ${child.pid}`]);
  await becomes("outside", "PENDING");
  t.is(agent.status(route[0]).state, "PENDING");
  t.is(await link("outside"), undefined);

  const other = await processElsewhere();
  await agent.commit(inProcess(other.pid));
  t.is(state("outside"), "CONFIGURED");
  t.is(agent.status(route[0]).state, "CONFIGURED");
  await other.kill();
});

/** Says which id the next process gets (proc_sys_kernel(5)). */
const LAST_ID = "/proc/sys/kernel/ns_last_pid";

function mayGiveIds(): boolean {
  try {
    accessSync(LAST_ID, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A process in a network namespace of its own that has that id, once nobody has it any more. */
async function processWithId(pid: number): Promise<Child> {
  const give = `echo ${pid - 1} > ${LAST_ID}; unshare --net sleep 1000 & echo "got $!"; wait`;
  return eventually(
    async () => {
      const child = await Child.start(["sh", "-c", give]);
      const [, got] = await child.logged(/got (\d+)/, 120_000);
      if (Number(got) === pid) return child;
      await run(["kill", "-9", got ?? ""]);
      await child.exited;
      return undefined;
    },
    { what: `process id ${pid} to be given again` },
  );
}

const withIds = mayGiveIds() ? test.serial : test.serial.skip;

withIds("another process that gets the id of one that ended is not it, until a value says so anew", async (t) => {
  const child = await processElsewhere();
  await agent.commit(inProcess(child.pid), wantInterface(outside));
  t.is(state("outside"), "CONFIGURED");
  await child.kill();
  await becomes("outside", "PENDING");
  const other = await processWithId(child.pid);
  t.teardown(() => run(["kill", "-9", `${child.pid}`]).then(() => other.exited));
  // References are looked at together: this one is found after the other process was there.
  const third = await processElsewhere();
  const witness = { name: "witness", type: "VETH", enabled: true, veth: { peer_if_name: "witness2" } } as const;
  const place = { namespace: { type: "PID", reference: `${third.pid}` } } as const;
  await agent.commit(
    wantInterface({ ...witness, ...place }),
    wantInterface({ ...witness, name: "witness2", veth: { peer_if_name: "witness" } }),
  );
  await third.kill();
  await becomes("witness", "PENDING");
  t.is(state("inside"), "PENDING");
  t.is(await link("outside"), undefined);

  await agent.commit([interfaceKey("inside"), undefined]);
  await agent.commit(inProcess(child.pid));
  t.is(state("outside"), "CONFIGURED", "meant anew, it is the one that has the id now");
});

test.serial("a process that is not there is waited for", async (t) => {
  await agent.commit(inProcess(4_000_000), wantInterface(outside));
  t.deepEqual(agent.status(interfaceKey("inside")).details, ["process 4000000"]);
  t.is(state("outside"), "PENDING");
});

test.serial("a namespace file is waited for, and its values go and return with it", async (t) => {
  await mkdir("/run/spaces", { recursive: true });
  const file = "/run/spaces/green";
  await agent.commit(inFile(file), wantInterface(outside));
  t.deepEqual(agent.status(interfaceKey("inside")).details, [`namespace file ${file}`]);
  const child = await processElsewhere();
  await run(["sh", "-c", `touch ${file}.new && mount --bind /proc/${child.pid}/ns/net ${file}.new`]);
  await run(["ln", "-s", `${file}.new`, file]);
  await becomes("outside", "CONFIGURED");
  await run(["rm", file]);
  await becomes("outside", "PENDING");
  await run(["ln", "-s", `${file}.new`, file]);
  await becomes("outside", "CONFIGURED");
  t.true(carries(await link("outside")));
  await child.kill();
});

test.serial("a named namespace that somebody else made and removes is waited for", async (t) => {
  await createNamespace("theirs");
  await agent.commit(named("theirs"), wantInterface(outside));
  t.is(state("inside"), "CONFIGURED");
  await deleteNamespace("theirs");
  await becomes("inside", "PENDING");
  t.deepEqual(agent.status(interfaceKey("inside")).details, ["namespace theirs"]);
  t.is(state("outside"), "PENDING");
  t.is(await link("outside"), undefined);
  await agent.scheduler.resyncDownstream();
  t.is(state("inside"), "PENDING");
  await createNamespace("theirs");
  await becomes("outside", "CONFIGURED");
  t.true(carries(await link("inside", { namespace: "theirs" })));
});

test.serial("a named namespace that the agent made is made again", async (t) => {
  await agent.commit(named("ours"), wantInterface(outside));
  const index = (await link("outside"))?.ifindex;
  await deleteNamespace("ours");
  await eventually(async () => carries(await link("inside", { namespace: "ours" })));
  await becomes("outside", "CONFIGURED");
  t.not((await link("outside"))?.ifindex, index);
});

test.serial("a namespace that was replaced by another one of its name gets everything anew", async (t) => {
  await createNamespace("swapped");
  await agent.commit(named("swapped"), wantInterface(outside));
  await run(["sh", "-c", "ip netns delete swapped && ip netns add swapped"]);
  await eventually(async () => carries(await link("inside", { namespace: "swapped" })));
  await becomes("outside", "CONFIGURED");
  t.deepEqual(operations(await agent.scheduler.resyncDownstream()), []);
});

test.serial("a namespace that nothing refers to any more is looked at no more", async (t) => {
  await agent.commit(inProcess(4_000_000), wantInterface(outside));
  await agent.resync();
  t.deepEqual(
    agent.scheduler.statuses("linux/namespace/").map(({ key }) => key),
    ["linux/namespace/own"],
  );
});
