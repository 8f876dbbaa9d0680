import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { interfaceKey } from "#proto/index.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, link, run } from "#test/support/sandbox.js";
import { existing, register, temporaryDirectory } from "./support/agent.js";

/** An agent that is killed in each state of an interface, and comes back. Every test has an interface of its own. */

interface Status {
  readonly interface: string;
  readonly state: string;
  readonly running: readonly string[];
}

async function plugIn(name: string): Promise<void> {
  await run(["ip", "link", "add", name, "type", "veth", "peer", "name", `${name}p`]);
}

async function stateOf(agent: AgentProcess, name: string): Promise<Status | undefined> {
  const { body } = await agent.request("GET", `/v1/ifmgr/get?interface=${name}`);
  return (body as { interfaces: readonly Status[] }).interfaces[0];
}

async function reaches(agent: AgentProcess, name: string, state: string): Promise<Status> {
  return await eventually(
    async () => {
      const status = await stateOf(agent, name);
      if (status?.state === state) return status;
      throw new Error(`it was ${JSON.stringify(status)}`);
    },
    { what: `${name} to be ${state}` },
  );
}

async function status(agent: AgentProcess, name: string): Promise<object | undefined> {
  const { body } = await agent.request("GET", `/v1/status?prefix=${interfaceKey(name)}`);
  return (body as readonly object[])[0];
}

async function addresses(name: string): Promise<readonly string[]> {
  const view = await link(name);
  return view === undefined ? [] : addressesOf(view);
}

test.serial("an agent that was killed", async (t) => {
  const directory = temporaryDirectory(t);
  const go = join(directory, "go");
  // Applications wait until the test lets them go on; the file says for which interface. What the killed agent left ends with the test.
  const gate = join(directory, "gate");
  await writeFile(gate, `#!/bin/sh\nuntil test -e ${go}.$INTERFACE || ! test -d ${directory}; do sleep 0.05; done\n`, {
    mode: 0o755,
  });
  const agent = await agentProcess({
    label: "restarted",
    flavor: "ifmgr",
    until: "alive",
    configuration: {
      store: { directory: join(directory, "store") },
      "interface-watcher": { settle_delay: "50ms" },
      ifmgr: {
        hooks: [
          { interface: "applying0", event: "AFTER_APPLY", command: gate },
          { interface: "ending?", event: "AFTER_APPLY", command: gate },
          { interface: "removing0", event: "BEFORE_UNAPPLY", command: gate },
        ],
      },
    },
  });
  t.teardown(() => agent.stop());
  const names = ["plugged0", "unplugged0", "gone0", "applying0", "removing0", "ending0", "ending1"];
  for (const name of names) if (name !== "unplugged0") await plugIn(name);
  await agent.request("POST", "/v1/transactions", {
    changes: names.flatMap((name, position) => [
      register(name),
      existing(name, { ip_addresses: [`10.90.${position}.1/24`] }),
    ]),
  });
  for (const name of ["plugged0", "gone0", "removing0"]) await reaches(agent, name, "PLUGGED");
  await reaches(agent, "applying0", "APPLYING");
  await eventually(async () => (await addresses("applying0")).length === 1);
  await agent.request("POST", "/v1/ifmgr/unplug", { interface: "removing0" });
  await reaches(agent, "removing0", "UNAPPLYING");
  const before = await link("plugged0");
  for (const name of ["ending0", "ending1"]) {
    await eventually(async () => (await addresses(name)).length === 1);
    await agent.request("POST", "/v1/ifmgr/unregister", { interface: name });
    await reaches(agent, name, "SHUTTINGDOWN");
  }
  await agent.request("POST", "/v1/transactions", { changes: [register("ending1")] });
  await reaches(agent, "ending1", "SHUTTINGDOWN");

  await agent.kill9();
  await run(["ip", "link", "delete", "gone0"]);
  for (const name of ["applying0", "removing0", "ending1"]) await writeFile(`${go}.${name}`, "");
  await agent.restart();

  // Plugged: it finds everything as it was, and touches nothing.
  const plugged = await reaches(agent, "plugged0", "PLUGGED");
  t.deepEqual(plugged.running, [interfaceKey("plugged0")]);
  t.deepEqual(await link("plugged0"), before);
  const { body: history } = await agent.request("GET", "/v1/transactions");
  const descriptions = (history as readonly { description: string }[]).map(({ description }) => description);
  t.false(descriptions.some((description) => / plugged0\b/.test(description)));
  // Unplugged: it waits as before.
  t.like(await stateOf(agent, "unplugged0"), { state: "UNPLUGGED", running: [] });
  // Gone in the meantime: what ran for it is removed.
  t.deepEqual((await reaches(agent, "gone0", "UNPLUGGED")).running, []);
  // In the middle of an application: it is done again, to its end.
  await reaches(agent, "applying0", "PLUGGED");
  t.deepEqual(await addresses("applying0"), ["10.90.3.1/24"]);
  // In the middle of a removal, with the interface there: removed, and applied as for any interface that is there.
  await reaches(agent, "removing0", "PLUGGED");
  t.deepEqual(await addresses("removing0"), ["10.90.4.1/24"]);
  // At its end, with work under way: nobody manages it any more, and what was applied is active.
  t.is(await stateOf(agent, "ending0"), undefined);
  t.deepEqual(await addresses("ending0"), ["10.90.5.1/24"]);
  t.like(await status(agent, "ending0"), { state: "CONFIGURED" });
  // The same, and registered again before that: nothing is taken away.
  await reaches(agent, "ending1", "PLUGGED");
  t.deepEqual(await addresses("ending1"), ["10.90.6.1/24"]);
  const { body: all } = await agent.request("GET", "/v1/transactions");
  t.false(JSON.stringify(all).includes("ending1 was unplugged"));

  await plugIn("unplugged0");
  await reaches(agent, "unplugged0", "PLUGGED");
  t.deepEqual(await addresses("unplugged0"), ["10.90.1.1/24"]);
});
