import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import type { AgentEvent } from "#core/northbound/index.js";
import { MemoryBus } from "#plugins/memory/index.js";
import { interfaceKey, registrationKey, routeKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, link, run } from "#test/support/sandbox.js";
import { drop, existing, PlugAgent, register, route, temporaryDirectory } from "./support/agent.js";

/** What sources, requests and readers of the status see of held configuration. Every test has an interface of its own. */

async function plugIn(name: string): Promise<void> {
  await run(["ip", "link", "add", name, "type", "veth", "peer", "name", `${name}p`]);
}

async function addresses(name: string): Promise<readonly string[]> {
  const view = await link(name);
  return view === undefined ? [] : addressesOf(view);
}

test("a value that waits is announced as pending, and as configured when it is", async (t) => {
  const agent = await PlugAgent.start(t);
  const key = interfaceKey("tell1");
  const states = (): readonly string[] =>
    agent.events.flatMap((event: AgentEvent) => (event.kind === "value" && event.key === key ? event.data.state : []));
  await agent.commit(register("tell1"), existing("tell1", { mtu: 1400 }));
  t.deepEqual(states(), ["PENDING"]);
  await plugIn("tell1");
  await agent.reaches("tell1", "PLUGGED");
  t.is(states().at(-1), "CONFIGURED");
  await agent.request("unplug", { interface: "tell1" });
  await agent.reaches("tell1", "UNPLUGGED");
  t.is(states().at(-1), "PENDING");
});

test("a dry run says that it would wait, and stages nothing", async (t) => {
  const agent = await PlugAgent.start(t);
  await agent.commit(register("dry1"));
  const bus = agent.agent.get(MemoryBus);
  const { outcome, values } = await bus.commit({ dry_run: true, changes: [existing("dry1")] });
  t.is(outcome, "PLANNED");
  t.like(values[0], { state: "PENDING", details: ["plug of dry1"] });
  t.deepEqual((await agent.status("dry1"))?.candidate, []);
});

test("what is desired can be read while it waits", async (t) => {
  const agent = await PlugAgent.start(t);
  await agent.commit(register("read1"), existing("read1", { mtu: 1400 }));
  const value = { name: "read1", type: "EXISTING", enabled: true, mtu: 1400 };
  t.deepEqual(agent.northbound.get(interfaceKey("read1")), [{ key: interfaceKey("read1"), value }]);
  t.deepEqual(await agent.northbound.dump("nb", interfaceKey("read1")), [{ key: interfaceKey("read1"), value }]);
});

test("a resync neither applies what waits nor takes what runs", async (t) => {
  const agent = await PlugAgent.start(t);
  await plugIn("sync1");
  await agent.commit(register("sync1", { manual_plug: true }), existing("sync1", { ip_addresses: ["10.95.1.1/24"] }));
  await agent.northbound.resync({ downstream: false });
  t.deepEqual(await addresses("sync1"), []);
  await agent.request("plug", { interface: "sync1" });
  await agent.reaches("sync1", "PLUGGED");
  await agent.northbound.resync({ downstream: false });
  t.deepEqual(await addresses("sync1"), ["10.95.1.1/24"]);
});

test("changes during an application lead to exactly one more, with the last of them", async (t) => {
  const directory = temporaryDirectory(t);
  const command = join(directory, "gate");
  await writeFile(command, `#!/bin/sh\nuntil test -e ${directory}/go; do sleep 0.02; done\n`, { mode: 0o755 });
  const hooks = [{ interface: "many1", event: "AFTER_APPLY", command }];
  const agent = await PlugAgent.start(t, { ifmgr: { hooks } });
  await plugIn("many1");
  await agent.commit(register("many1"), existing("many1", { ip_addresses: ["10.96.0.1/24"] }));
  await eventually(async () => (await addresses("many1")).length === 1);
  for (const host of [2, 3, 4, 5]) {
    const { values } = await agent.commit(existing("many1", { ip_addresses: [`10.96.0.${host}/24`] }));
    t.like(values[0], { state: "PENDING", details: ["application to many1"] });
  }
  t.deepEqual(await addresses("many1"), ["10.96.0.1/24"]);
  await writeFile(join(directory, "go"), "");
  await agent.reaches("many1", "PLUGGED");
  t.deepEqual(await addresses("many1"), ["10.96.0.5/24"]);
  const applications = agent.northbound
    .history()
    .filter(({ description }) => /configuration of many1/.test(description));
  t.is(applications.length, 2);
});

test("an unplug during an application is honoured when that ends, and so is an end of the registration", async (t) => {
  for (const [name, leave, left] of [
    ["end1", "unplug", []],
    ["end2", "unregister", ["10.97.0.1/24"]],
  ] as const) {
    const directory = temporaryDirectory(t);
    const command = join(directory, "gate");
    await writeFile(command, `#!/bin/sh\nuntil test -e ${directory}/go; do sleep 0.02; done\n`, { mode: 0o755 });
    const agent = await PlugAgent.start(t, { ifmgr: { hooks: [{ interface: name, event: "AFTER_APPLY", command }] } });
    await plugIn(name);
    await agent.commit(register(name), existing(name, { ip_addresses: ["10.97.0.1/24"] }));
    await eventually(async () => (await addresses(name)).length === 1);
    const [status] = await agent.request(leave, { interface: name });
    t.is(status?.state, leave === "unplug" ? "UNAPPLYING" : "SHUTTINGDOWN");
    await writeFile(join(directory, "go"), "");
    await eventually(async () => {
      const now = await agent.status(name);
      return now === undefined || now.state === "UNPLUGGED";
    });
    t.deepEqual(await addresses(name), left);
    await agent.close();
    await run(["ip", "link", "delete", name]);
  }
});

test("a registration by pattern holds for every interface with such a name, and cannot be taken back by request", async (t) => {
  const agent = await PlugAgent.start(t, { ifmgr: { interfaces: ["wwan?"] } });
  await agent.commit(existing("wwan1", { ip_addresses: ["10.98.0.1/24"] }));
  t.like(await agent.status("wwan1"), { state: "UNPLUGGED" });
  await plugIn("wwan1");
  await agent.reaches("wwan1", "PLUGGED");
  t.deepEqual(await addresses("wwan1"), ["10.98.0.1/24"]);
  await t.throwsAsync(agent.request("unregister", { interface: "wwan1" }), {
    message: /still registered: a pattern in ifmgr.interfaces says so/,
  });
  await agent.commit(drop(interfaceKey("wwan1")));
  await run(["ip", "link", "delete", "wwan1"]);
  await eventually(async () => (await agent.status("wwan1")) === undefined, { what: "nothing to be left of it" });
  t.pass();
});

test("what stood on an interface that is not configured any more goes its own way", async (t) => {
  const agent = await PlugAgent.start(t);
  const key = routeKey("10.99.0.0/16", "way1");
  await agent.commit(register("way1"), existing("way1"), route("10.99.0.0/16", "way1"));
  t.like(agent.northbound.status({ prefix: key })[0], { details: ["plug of way1"] });
  await agent.commit(drop(interfaceKey("way1")));
  await eventually(() => agent.northbound.status({ prefix: key })[0]?.details[0] !== "plug of way1");
  t.like(agent.northbound.status({ prefix: key })[0], { state: "PENDING" });
  t.deepEqual((await agent.status("way1"))?.candidate, []);
});

test("an interface may be registered, configured and given up in single transactions", async (t) => {
  const agent = await PlugAgent.start(t);
  await plugIn("once1");
  await agent.commit(register("once1"), existing("once1", { ip_addresses: ["10.94.0.1/24"] }));
  await agent.reaches("once1", "PLUGGED");
  await agent.commit(drop(registrationKey("once1")), existing("once1", { ip_addresses: ["10.94.0.2/24"] }));
  await eventually(async () => (await addresses("once1")).join() === "10.94.0.2/24");
  t.is(await agent.status("once1"), undefined);
  // The kernel has an address a moment before the transaction that brings it is over.
  await eventually(() => agent.northbound.status({ state: "pending" }).length === 0);
});
