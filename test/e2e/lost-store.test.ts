/**
 * What the agent knows is lost, wholly or in part, while the kernel has what it made: nothing is taken away, whatever job comes, and who says
 * the same again takes it over as it is.
 */
import { cp, mkdir, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import type { Change, TransactionResult, ValueStatus } from "#client/types.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { ip, links, run } from "#test/support/sandbox.js";

let root: string;
let agent: AgentProcess;

const place = (name: string): string => join(root, name);
const interfaceKey = (name: string): string => `config/linux/interfaces/v2/interface/${name}`;

function bridge(name: string, address: string): Change {
  return { key: interfaceKey(name), value: { name, type: "BRIDGE", enabled: true, ip_addresses: [address] } };
}

/** Set by request: a link with an address, a route and a neighbour on it, a rule, and a pair of which one end is in a namespace. */
const REQUESTED: readonly Change[] = [
  bridge("asked", "10.31.1.1/24"),
  {
    key: "config/linux/l3/v2/route/10.77.0.0/16/asked;metric=50",
    value: { outgoing_interface: "asked", dst_network: "10.77.0.0/16", gw_addr: "10.31.1.9", metric: 50 },
  },
  {
    key: "config/linux/l3/v2/arp/asked/10.31.1.7",
    value: { interface: "asked", ip_address: "10.31.1.7", hw_address: "02:00:00:00:00:07" },
  },
  { key: "config/linux/l3/v2/rule/100", value: { priority: 100, src_network: "10.31.0.0/16", table: 77 } },
  { key: interfaceKey("near"), value: { name: "near", type: "VETH", enabled: true, veth: { peer_if_name: "far" } } },
  {
    key: interfaceKey("far"),
    value: {
      name: "far",
      type: "VETH",
      enabled: true,
      veth: { peer_if_name: "near" },
      namespace: { type: "NSID", reference: "blue" },
      ip_addresses: ["10.31.2.1/24"],
    },
  },
];
const KEPT = bridge("kept", "10.31.3.1/24");
const GONE = bridge("gone", "10.31.4.1/24");

/** Keys as the agent has them. */
const requestedKeys = REQUESTED.map(({ key }) => key).sort();

async function configure(fields: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const configuration = {
    flavor: "embedded",
    store: { directory: place("disk/store") },
    file: { path: place("files"), settle: "20ms" },
    log: { level: "warn" },
    ...fields,
  };
  await writeFile(place("tenuto.json"), JSON.stringify(configuration));
}

function writeGone(): Promise<void> {
  return writeFile(place("files/gone.json"), JSON.stringify([GONE]));
}

async function commit(
  changes: readonly Change[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<TransactionResult> {
  const { body } = await agent.request("POST", "/v1/transactions", { changes, ...more });
  return body as TransactionResult;
}

async function statuses(): Promise<ReadonlyMap<string, ValueStatus>> {
  const { body } = await agent.request("GET", "/v1/status?prefix=config/");
  return new Map((body as readonly ValueStatus[]).map((status) => [status.key, status]));
}

/** Why a plugin is not well; empty when it is. */
async function unwell(plugin: string): Promise<string> {
  const { body } = await agent.request("GET", "/readiness");
  const { PluginStatus } = body as { PluginStatus: Readonly<Record<string, { readonly error?: string }>> };
  return PluginStatus[plugin]?.error ?? "";
}

/** What the kernel has, indexes included; what it chose itself and changes by itself (link-local addresses) is left out. */
async function kernel(): Promise<unknown> {
  const linksIn = async (namespace?: string): Promise<unknown> => {
    const found = await links(namespace === undefined ? {} : { namespace });
    return found.map(({ ifname, ifindex, mtu, address, ifalias, flags, addr_info }) => ({
      ...{ ifname, ifindex, mtu, address, ifalias, up: flags.includes("UP") },
      addresses: addr_info.filter(({ scope }) => scope !== "link").map(({ local, prefixlen }) => [local, prefixlen]),
    }));
  };
  return {
    own: await linksIn(),
    blue: await linksIn("blue"),
    routes: await ip("route", "show", "proto", "199"),
    rules: await ip("rule", "show"),
    neighbours: await ip("neighbour", "show", "nud", "permanent"),
  };
}

/** The state of each value that is there, of those by request, and of those from files. */
function known(all: ReadonlyMap<string, ValueStatus>): Readonly<Record<string, string>> {
  const by = (keys: readonly string[]): string => [...new Set(keys.map((key) => all.get(key)?.state))].sort().join();
  return { requested: by(requestedKeys), kept: by([KEPT.key]), gone: by([GONE.key]) };
}

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), "tenuto-lost-store-"));
  await mkdir(place("files"));
  await mkdir(place("disk"));
  // So small that it can be full.
  await run(["mount", "-t", "tmpfs", "-o", "size=3m", "tenuto-test", place("disk")]);
  await writeFile(place("files/kept.json"), JSON.stringify([KEPT]));
  await configure();
  agent = await agentProcess({ label: "lost", configurationFile: place("tenuto.json"), until: "alive" });
  await agent.stop();
  await cp(place("disk/store"), place("older"), { recursive: true });
  await agent.restart();
});

test.after.always(async () => {
  await agent.stop();
  await run(["umount", "--lazy", place("disk")]);
  await rm(root, { recursive: true, force: true });
});

const store = (name = ""): string => place(`disk/store/${name}`);

interface Loss {
  readonly what: string;
  /** While the agent is off. */
  readonly lose: () => Promise<void>;
  /** Default: as if nothing else had happened than the loss. */
  readonly states?: Readonly<Record<string, string>>;
  readonly reason: RegExp;
}

const FOUND = { requested: "DISCOVERED", kept: "CONFIGURED", gone: "DISCOVERED" };

const LOSSES: readonly Loss[] = [
  {
    what: "the directory is deleted",
    lose: () => rm(store(), { recursive: true }),
    reason: /the store is new/,
  },
  {
    what: "every file is torn",
    lose: async () => {
      for (const name of await readdir(store("db"))) await truncate(store(`db/${name}`), 11);
    },
    reason: /the store was damaged/,
  },
  {
    what: "the disk does not give it back",
    lose: async () => {
      for (const name of await readdir(store("db"))) {
        if (!/^MANIFEST|\.(ldb|log)$/.test(name)) continue;
        await rm(store(`db/${name}`));
        await mkdir(store(`db/${name}`));
      }
    },
    reason: /the store was damaged/,
  },
  {
    what: "an older copy is in its place",
    lose: async () => {
      await rm(store(), { recursive: true });
      await cp(place("older"), store(), { recursive: true });
    },
    reason: /the store is (an older copy|not the one that was used last)/,
  },
  {
    what: "the agent runs without it, and then with an older copy",
    lose: async () => {
      await configure({ store: { directory: store(), enabled: false } });
      await agent.restart();
      await settled();
      await agent.stop();
      await rm(store(), { recursive: true });
      await cp(place("older"), store(), { recursive: true });
      await configure();
    },
    reason: /the agent ran without its store meanwhile/,
  },
  {
    what: "it is switched off",
    lose: () => configure({ store: { directory: store(), enabled: false } }),
    reason: /the store is switched off/,
  },
];

/** Has the agent read what is there and what its files say? */
async function settled(): Promise<void> {
  await eventually(async () => (await statuses()).get(KEPT.key)?.state === "CONFIGURED");
}

test.serial("values by request and from files are in the kernel", async (t) => {
  await writeGone();
  t.like(await commit(REQUESTED), { outcome: "APPLIED", error: "" });
  await eventually(async () => (await statuses()).get(GONE.key)?.state === "CONFIGURED");
  t.deepEqual(known(await statuses()), { requested: "CONFIGURED", kept: "CONFIGURED", gone: "CONFIGURED" });
});

/** What would have read the kernel anew and compared it with what the agent knows. */
async function everyJob(): Promise<void> {
  await run(["ip", "link", "add", "foreign", "type", "bridge"]);
  const taken = { name: "taken", type: "VETH", host_if_name: "foreign", veth: { peer_if_name: "other" } };
  const other = { name: "other", type: "VETH", veth: { peer_if_name: "taken" } };
  const failing = [
    { key: interfaceKey("taken"), value: taken },
    { key: interfaceKey("other"), value: other },
  ];
  await commit([bridge("more", "10.31.9.1/24"), ...failing]);
  await run(["ip", "address", "delete", "10.31.9.1/24", "dev", "more"]);
  await eventually(async () => (await run(["ip", "address", "show", "dev", "more"])).includes("10.31.9.1/24"));
  await commit([bridge("more", "10.31.9.2/24")], { dry_run: true });
  await agent.request("POST", "/v1/resync");
  await agent.request("POST", "/v1/resync?downstream=true");
  const deleted = ["more", "taken", "other"].map((name) => ({ key: interfaceKey(name), delete: true }) as const);
  await commit(deleted);
  await run(["ip", "link", "delete", "foreign"]);
}

for (const { what, lose, states = FOUND, reason } of LOSSES) {
  test.serial(`${what}: everything stays, whatever job comes, until it is said again`, async (t) => {
    const before = await kernel();
    await agent.stop();
    await rm(place("files/gone.json"));
    await lose();
    await agent.restart();
    await settled();
    t.deepEqual(await kernel(), before, "after the start");
    t.deepEqual(known(await statuses()), states);
    t.regex((await statuses()).get(interfaceKey("asked"))?.details.join() ?? "", reason);
    const health = await unwell("orchestrator");
    t.regex(health, reason);
    t.regex(health, /`tenuto resync --prune --dry-run` lists/);

    await everyJob();
    t.deepEqual(await kernel(), before, "after every job");
    t.deepEqual(known(await statuses()), states);

    await writeGone();
    const { outcome, operations } = await commit(REQUESTED);
    t.deepEqual({ outcome, operations }, { outcome: "APPLIED", operations: [] });
    await eventually(async () => (await unwell("orchestrator")) === "");
    t.deepEqual(await kernel(), before, "after it was said again");
  });
}

test.serial("the store is switched on again: what it knows is no longer all, and nobody misses anything", async (t) => {
  const before = await kernel();
  await agent.stop();
  await configure();
  await agent.restart();
  await settled();
  t.deepEqual(await kernel(), before);
  t.deepEqual(known(await statuses()), { requested: "CONFIGURED", kept: "CONFIGURED", gone: "CONFIGURED" });
  await eventually(async () => (await unwell("orchestrator")) === "" && (await unwell("store")) === "");
});

test.serial(
  "the disk is full, also when the agent starts: what could not be stored stays after a crash, too",
  async (t) => {
    await run(["sh", "-c", `head -c 10M /dev/zero >${place("disk/ballast")} || true`]);
    const rules = Array.from({ length: 40 }, (_, index) => 1000 + index);
    const keyOf = (priority: number): string => `config/linux/l3/v2/rule/${priority}`;
    const answer = await commit(
      rules.map((priority) => ({ key: keyOf(priority), value: { priority, src_network: "10.32.0.0/16", table: 78 } })),
    );
    t.is(answer.outcome, "PARTIAL");
    t.regex(answer.error, /not stored, a restart of the agent would forget it: .*space/i);
    await writeFile(place("files/late.json"), JSON.stringify([bridge("late", "10.31.5.1/24")]));
    await eventually(async () => (await statuses()).get(interfaceKey("late"))?.state === "CONFIGURED");
    const before = await kernel();
    await agent.kill9();
    await rm(place("files/late.json"));
    await agent.restart();
    await settled();
    t.deepEqual(await kernel(), before, "after a start with a full disk");
    t.regex(await unwell("store"), /cannot write .*space/i);
    await everyJob();
    await rm(place("disk/ballast"));
    await eventually(async () => !/cannot write/.test(await unwell("store")), { what: "the store to be written" });
    t.deepEqual(await kernel(), before);
    const all = await statuses();
    t.is(all.get(keyOf(1000))?.state, "DISCOVERED");
    t.regex(
      all.get(interfaceKey("late"))?.details.join() ?? "",
      /the store .*could not be written, and lacks the last/,
    );
    const late = [...rules.map(keyOf), interfaceKey("late")];
    const removed = await commit(late.map((key) => ({ key, delete: true })));
    t.deepEqual([...new Set(removed.values.map(({ state }) => state))], ["REMOVED"]);
    t.is(await unwell("orchestrator"), "");
  },
);

test.serial("another label: what was made under the old one is somebody else's, or found, and stays", async (t) => {
  const before = await kernel();
  await agent.stop();
  const configuration = { store: { directory: place("disk/other") }, log: { level: "warn" } };
  const other = await agentProcess({ label: "other", configuration, until: "alive" });
  t.teardown(() => other.stop());
  const status = async (): Promise<unknown> => (await other.request("GET", "/v1/status?prefix=config/")).body;
  const found = await eventually(async () => JSON.stringify(await status()).includes("DISCOVERED") && (await status()));
  t.like(found, [{ key: "config/linux/l3/v2/rule/100", state: "DISCOVERED" }]);
  await other.request("POST", "/v1/resync");
  t.deepEqual(await kernel(), before);
  await other.stop();
  await agent.restart();
  await settled();
});

test.serial("a source leaves the flavor: its values stay, until somebody else says something of them", async (t) => {
  const before = await kernel();
  await agent.stop();
  await writeFile(
    place("tenuto.json"),
    JSON.stringify({ flavor: "nats", store: { directory: store() }, log: { level: "warn" } }),
  );
  await agent.restart();
  await settled();
  await everyJob();
  t.deepEqual(await kernel(), before);
  const all = await statuses();
  t.deepEqual(known(all), { requested: "CONFIGURED", kept: "CONFIGURED", gone: "CONFIGURED" });
  t.regex(all.get(KEPT.key)?.details.join() ?? "", /source file has lost it: the source is not in the flavor any more/);
  t.regex(await unwell("orchestrator"), /source file has lost 2 values: .*--prune --dry-run` lists/);
  t.like(await commit([{ key: GONE.key, delete: true }]), { values: [{ key: GONE.key, state: "REMOVED" }] });
  t.deepEqual(await run(["sh", "-c", "ls /sys/class/net | grep gone || true"]), "");
  await agent.stop();
  await configure();
  await agent.restart();
  await eventually(async () => (await unwell("orchestrator")) === "");
});

test.serial("what nobody asks for goes by a delete, by a prune, and when all say that there is no more", async (t) => {
  await agent.stop();
  await rm(store(), { recursive: true });
  await rm(place("files/gone.json"));
  await agent.restart();
  await settled();
  const before = await kernel();

  const deleted = await agent.tenuto(["delete", "config/linux/l3/v2/rule/100"]);
  t.regex(deleted.stdout, /^- .*rule\/100$/m);
  t.false((await run(["ip", "rule", "show"])).includes("lookup 77"));

  const plan = await agent.tenuto(["resync", "--prune", "--dry-run"]);
  for (const key of requestedKeys.filter((each) => !each.includes("rule"))) t.true(plan.stdout.includes(key), key);
  t.false(plan.stdout.includes(KEPT.key));
  t.regex(plan.stdout, /^found, and nobody asks for it: the store is new \(since .*Z\)\n {2}config/);
  const status = await agent.tenuto(["status"]);
  t.regex(status.stdout, /6 values stay though nobody asks for them any more/);
  t.like(await kernel(), { routes: (before as { routes: unknown }).routes });

  const replaced = await commit([REQUESTED[0] as Change], { mode: "REPLACE" });
  t.is(replaced.outcome, "APPLIED");
  await eventually(async () => (await statuses()).size === 2);
  t.deepEqual([...(await statuses()).keys()].sort(), [interfaceKey("asked"), KEPT.key]);
  t.is(await unwell("orchestrator"), "");

  await agent.stop();
  await rm(store(), { recursive: true });
  await agent.restart();
  await settled();
  const pruned = await agent.tenuto(["resync", "--prune"]);
  t.is(pruned.status, 0, pruned.stderr);
  t.regex(pruned.stdout, /^- .*interface\/asked$/m);
  t.deepEqual([...(await statuses()).keys()], [KEPT.key]);
  t.is(await unwell("orchestrator"), "");
});
