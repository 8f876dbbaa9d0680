import test from "ava";
import type { ForwardingEntry } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { createNamespace, deleteNamespace, link, run } from "#test/support/sandbox.js";
import { bridge, pair } from "./support/links.js";
import {
  type Desired,
  dropInterface,
  NetworkAgent,
  operations,
  states,
  wantForwarding,
  wantInterface,
} from "./support/network.js";
import { Recorder } from "./support/recorder.js";

/** Forwarding entries. Those of VLANs are in ports.machine.test.ts. */
let recorder: Recorder;
let agent: NetworkAgent;
test.before(async () => {
  recorder = new Recorder();
  agent = await NetworkAgent.start("forwarding", {}, [recorder.plugin]);
});
test.afterEach.always(async () => {
  await agent.resync();
});
test.after.always(() => agent.close());

const MAC = "02:00:00:00:00:01";
const ALL = "00:00:00:00:00:00";
const vxlan = (change: object = {}, name = "vx"): Desired =>
  wantInterface({ name, type: "VXLAN", enabled: true, vxlan: { vni: 100, port: 4799, local: "192.0.2.1", ...change } });
const network: readonly Desired[] = [
  ...pair("a"),
  ...pair("b"),
  bridge([{ interface: "a" }, { interface: "b" }]),
  vxlan(),
];
const ours = (value: ForwardingEntry): Desired => wantForwarding({ hw_address: MAC, ...value });

/** Entries for an address as bridge(8) prints them, in one order, without the link's name. */
async function entries(name: string, mac = MAC, namespace?: string): Promise<readonly string[]> {
  const text = await run(["bridge", "fdb", "show", "dev", name], namespace === undefined ? {} : { namespace });
  const lines = text.split("\n").filter((line) => line.startsWith(mac));
  return lines.map((line) => line.slice(mac.length).trim()).sort();
}

/** What is asked for, what bridge(8) says then, and to what it is changed in place. */
const SCENARIOS: Readonly<
  Record<
    string,
    {
      entry: ForwardingEntry;
      is: readonly string[];
      changed?: readonly [ForwardingEntry, readonly string[]];
      again?: true;
    }
  >
> = {
  "behind a port, then one that does not move, then one of the host": {
    entry: { interface: "a" },
    is: ["master br static"],
    changed: [{ interface: "a", sticky: true }, ["sticky master br static"]],
  },
  "of the host itself, then behind the port": {
    entry: { interface: "a", local: true },
    is: ["master br permanent"],
    changed: [{ interface: "a" }, ["master br static"]],
  },
  "taught by a control plane, then not": {
    entry: { interface: "a", extern_learn: true },
    is: ["extern_learn master br"],
    changed: [{ interface: "a" }, ["master br static"]],
    again: true,
  },
  "that a bridge itself takes": { entry: { interface: "br", self: true }, is: ["master br permanent"] },
  "in the filter of a link, then in the bridge as well": {
    entry: { interface: "a", self: true },
    is: ["self permanent"],
    changed: [{ interface: "a", self: true, master: true }, ["master br static", "self permanent"]],
  },
  "beyond a VXLAN, then at another end of another network": {
    entry: { interface: "vx", remotes: [{ address: "192.0.2.2", vni: 100, port: 4799 }] },
    is: ["dst 192.0.2.2 self permanent"],
    changed: [
      { interface: "vx", remotes: [{ address: "192.0.2.3", vni: 7, port: 99, via: "a" }] },
      ["dst 192.0.2.3 port 99 vni 7 via a self permanent"],
    ],
  },
  "for all beyond a VXLAN, at several ends that come and go": {
    entry: { interface: "vx", hw_address: ALL, remotes: [{ address: "192.0.2.2" }, { address: "192.0.2.3" }] },
    is: ["dst 192.0.2.2 self permanent", "dst 192.0.2.3 self permanent"],
    changed: [
      { interface: "vx", hw_address: ALL, remotes: [{ address: "192.0.2.3" }, { address: "192.0.2.4" }] },
      ["dst 192.0.2.3 self permanent", "dst 192.0.2.4 self permanent"],
    ],
  },
};

for (const [title, { entry, is, changed, again }] of Object.entries(SCENARIOS)) {
  test.serial(`an address ${title.slice(0, 80)}`, async (t) => {
    const { interface: name = "", hw_address: mac = MAC } = entry;
    const record = await agent.commit(...network, ours(entry));
    t.is(record.error, "", JSON.stringify(states(record)));
    t.deepEqual(await entries(name, mac), is);
    t.deepEqual(operations(await agent.resync(...network, ours(entry))), []);
    if (changed !== undefined) {
      const [key, value] = ours(changed[0]);
      const done = operations(await agent.commit([key, value]));
      t.deepEqual(done, again ? [`DELETE ${key}`, `CREATE ${key}`] : [`UPDATE ${key}`]);
      t.deepEqual(await entries(name, mac), changed[1]);
      t.deepEqual(operations(await agent.resync(...network, [key, value])), []);
    }
    const [key] = ours(entry);
    t.is((await agent.commit([key, undefined])).error, "");
    t.deepEqual(await entries(name, mac), []);
  });
}

test.serial("what others and the VXLAN itself have for the same address stays", async (t) => {
  const own = ["192.0.2.9"];
  const end = (...addresses: readonly string[]): Desired =>
    ours({ interface: "vx", hw_address: ALL, remotes: addresses.map((address) => ({ address })) });
  await agent.commit(vxlan({ remote: own[0] }));
  await run(["bridge", "fdb", "append", ALL, "dev", "vx", "dst", "192.0.2.8"]);
  const theirs = await entries("vx", ALL);
  t.is(theirs.length, 2);
  const all = end("192.0.2.2", "192.0.2.9");
  t.is((await agent.commit(all)).error, "");
  t.deepEqual(operations(await agent.resync(vxlan({ remote: own[0] }), all)), []);
  t.is((await entries("vx", ALL)).length, 3);
  await agent.commit([all[0], undefined]);
  t.deepEqual(await entries("vx", ALL), theirs);
});

test.serial("an entry waits for its port, and an atomic transaction is not reverted for that", async (t) => {
  const [key, value] = ours({ interface: "a" });
  const record = await agent.scheduler.commit({
    changes: [[key, value], ...pair("a"), bridge([])],
    atomic: true,
    retry: false,
  });
  t.is(record.error, "");
  t.like(agent.status(key), { state: "PENDING", details: ["interface a to be a port of a bridge"] });
  await agent.commit(bridge([{ interface: "a" }]));
  t.deepEqual(await entries("a"), ["master br static"]);
  await agent.commit(bridge([]));
  t.is(agent.status(key).state, "PENDING");
  await agent.commit(bridge([{ interface: "a" }]), dropInterface("ap"));
  t.is(agent.status(key).state, "PENDING");
  await agent.commit(...pair("a"));
  t.deepEqual(await entries("a"), ["master br static"]);
});

test.serial(
  "an address is behind one port of a bridge: another value is refused, names it and takes its turn",
  async (t) => {
    const [first, second] = [ours({ interface: "a" }), ours({ interface: "b" })];
    await agent.commit(...network, first);
    await agent.commit(second);
    t.like(agent.status(second[0]), { state: "FAILED" });
    t.true(agent.status(second[0]).error.includes(`${first[0]} is the same entry of the bridge`));
    t.deepEqual(await entries("a"), ["master br static"]);
    await agent.commit([first[0], undefined]);
    await eventually(() => agent.status(second[0]).state === "CONFIGURED");
    t.deepEqual(await entries("b"), ["master br static"]);
    // The other way round in one transaction.
    t.is((await agent.commit(first, [second[0], undefined])).error, "");
    t.deepEqual([await entries("a"), await entries("b")], [["master br static"], []]);
  },
);

test.serial("an entry follows its link to another name and another namespace, and its ends theirs", async (t) => {
  await createNamespace("fdb");
  const entry = ours({ interface: "vx", remotes: [{ address: "192.0.2.2", via: "a" }] });
  const place = { namespace: { type: "NSID", reference: "fdb" } } as const;
  const named = vxlan();
  await agent.commit(...pair("a"), named, entry);
  t.is((await agent.commit(...pair("a", { host_if_name: "a2" }))).error, "");
  t.deepEqual(await entries("vx"), ["dst 192.0.2.2 via a2 self permanent"]);
  const moved = wantInterface({ ...(named[1] as object), name: "vx", ...place });
  const record = await agent.commit(moved, ...pair("a", place));
  t.is(record.error, "", JSON.stringify(states(record)));
  t.deepEqual(await entries("vx", MAC, "fdb"), ["dst 192.0.2.2 via a self permanent"]);
  await agent.resync();
  await deleteNamespace("fdb");
});

test.serial("what the kernel has for itself is not taken", async (t) => {
  await agent.commit(...network);
  const { address = "" } = (await link("a")) ?? {};
  const values = [
    wantForwarding({ interface: "a", hw_address: address }),
    wantForwarding({ interface: "a", hw_address: address, local: true }),
    wantForwarding({ interface: "a", hw_address: "33:33:00:00:00:01", self: true }),
  ];
  const before = [await entries("a", address), await entries("a", "33:33:00:00:00:01")];
  for (const value of values) {
    await agent.commit(value);
    t.regex(agent.status(value[0]).error, /the kernel/);
    await agent.commit([value[0], undefined]);
  }
  t.deepEqual([await entries("a", address), await entries("a", "33:33:00:00:00:01")], before);
});

test.serial("a learned address becomes the value's, and is the bridge's to learn again without it", async (t) => {
  await agent.commit(...network);
  await run(["bridge", "fdb", "add", MAC, "dev", "b", "master", "dynamic"]);
  const [key, value] = ours({ interface: "a" });
  await agent.commit([key, value]);
  t.deepEqual([await entries("a"), await entries("b")], [["master br static"], []]);
  await agent.commit([key, undefined]);
  await run(["bridge", "fdb", "add", MAC, "dev", "a", "master", "dynamic"]);
  t.deepEqual(operations(await agent.resync(...network)), []);
  t.deepEqual(await entries("a"), ["master br"]);
});

for (const [title, value] of Object.entries<ForwardingEntry>({
  "other ends of what is no VXLAN": { interface: "a", remotes: [{ address: "192.0.2.2" }] },
  "a VXLAN's table without other ends": { interface: "vx", self: true },
  "networks of a VXLAN with one": { interface: "vx", remotes: [{ address: "192.0.2.2" }], src_vni: 7 },
})) {
  test.serial(`an entry says which field is wrong and is not tried again: ${title}`, async (t) => {
    await agent.commit(...network);
    const [key, entry] = ours(value);
    await agent.scheduler.commit({ changes: [[key, entry]] });
    t.like(agent.status(key), { state: "FAILED" });
    t.regex(agent.status(key).error, /: (remotes|src_vni): /);
  });
}

/** What somebody does to an entry. */
const HARM: Readonly<Record<string, { entry: ForwardingEntry; does: readonly string[] }>> = {
  "removes it": { entry: { interface: "a" }, does: ["del", MAC, "dev", "a", "master"] },
  "moves it to another port": { entry: { interface: "a" }, does: ["replace", MAC, "dev", "b", "master", "static"] },
  "makes it one that ages": { entry: { interface: "a" }, does: ["replace", MAC, "dev", "a", "master", "dynamic"] },
  "makes it the host's": { entry: { interface: "a" }, does: ["replace", MAC, "dev", "a", "master", "permanent"] },
  "lets it move": { entry: { interface: "a", sticky: true }, does: ["replace", MAC, "dev", "a", "master", "static"] },
  "teaches it": { entry: { interface: "a" }, does: ["replace", MAC, "dev", "a", "master", "extern_learn"] },
  "removes it from a filter": { entry: { interface: "a", self: true }, does: ["del", MAC, "dev", "a", "self"] },
  "removes a bridge's own": { entry: { interface: "br", self: true }, does: ["del", MAC, "dev", "br", "self"] },
  "sends it to another end": {
    entry: { interface: "vx", remotes: [{ address: "192.0.2.2" }] },
    does: ["replace", MAC, "dev", "vx", "dst", "192.0.2.3"],
  },
  "gives its end another network": {
    entry: { interface: "vx", remotes: [{ address: "192.0.2.2", vni: 6 }] },
    does: ["replace", MAC, "dev", "vx", "dst", "192.0.2.2", "vni", "7"],
  },
  "makes an end one that ages": {
    entry: { interface: "vx", remotes: [{ address: "192.0.2.2" }] },
    does: ["replace", MAC, "dev", "vx", "dst", "192.0.2.2", "dynamic"],
  },
  "removes one of several ends": {
    entry: { interface: "vx", hw_address: ALL, remotes: [{ address: "192.0.2.2" }, { address: "192.0.2.3" }] },
    does: ["del", ALL, "dev", "vx", "dst", "192.0.2.3"],
  },
};

for (const [position, [title, { entry: harmed, does: harm }]] of Object.entries(HARM).entries()) {
  // Each an address of its own: what drifts again is repaired later.
  const own = harmed.hw_address ?? `${MAC.slice(0, -2)}${20 + position}`;
  const entry = { ...harmed, hw_address: own };
  const does = harm.map((word) => (word === MAC ? own : word));

  test.serial(`somebody ${title}: that is told and repaired`, async (t) => {
    const [key, value] = ours(entry);
    const { interface: name = "", hw_address: mac = MAC } = entry;
    await agent.commit(...network, [key, value]);
    const before = await entries(name, mac);
    await agent.scheduler.refresh([key]);
    const told = recorder.of("drift").length;
    await run(["bridge", "fdb", ...does]);
    await eventually(() =>
      recorder
        .of("drift")
        .slice(told)
        .some(({ data }) => data.key === key),
    );
    await eventually(async () => JSON.stringify(await entries(name, mac)) === JSON.stringify(before));
    await eventually(() => agent.status(key).state === "CONFIGURED");
    t.is(agent.status(key).error, "");
  });
}

test.serial("an agent that starts finds its entries, and removes those that it is told to", async (t) => {
  const entry = ours({ interface: "a" });
  const ends = ours({ interface: "vx", hw_address: ALL, remotes: [{ address: "192.0.2.2" }] });
  await agent.commit(...network, entry, ends);
  await agent.close();
  agent = await NetworkAgent.start("forwarding", {}, [recorder.plugin]);
  t.deepEqual(operations(await agent.resync(...network, entry, ends)), []);
  t.deepEqual(
    [...operations(await agent.commit([entry[0], undefined], [ends[0], undefined]))].sort(),
    [`DELETE ${ends[0]}`, `DELETE ${entry[0]}`].sort(),
  );
  t.deepEqual([await entries("a"), await entries("vx", ALL)], [[], []]);
});
