import test from "ava";
import { Scheduler } from "#core/scheduler/api/token.js";
import { hostPresentKey, interfaceKey, routeKey } from "#proto/index.js";
import { eventually } from "#test/support/eventually.js";
import { addressesOf, ip, link, run } from "#test/support/sandbox.js";
import { drop, existing, PlugAgent, register, route } from "./support/agent.js";

/** Interfaces of a real kernel that come and go by hand. Every test has names of its own. */

async function plugIn(name: string): Promise<void> {
  await run(["ip", "link", "add", name, "type", "veth", "peer", "name", `${name}p`]);
  await run(["ip", "link", "set", `${name}p`, "up"]);
}

async function pullOut(name: string): Promise<void> {
  await run(["ip", "link", "delete", name]);
}

async function addresses(name: string): Promise<readonly string[] | undefined> {
  const view = await link(name);
  return view && addressesOf(view);
}

// Before the others, since it is about time.
test.serial(
  "what is desired for a registered interface waits until the interface comes, and is applied then",
  async (t) => {
    const agent = await PlugAgent.start(t);
    const result = await agent.commit(
      register("wait0"),
      existing("wait0", { ip_addresses: ["10.70.0.1/24"], mtu: 1400 }),
      route("10.71.0.0/16", "wait0", { gw_addr: "10.70.0.2" }),
    );
    t.is(result.outcome, "APPLIED");
    t.like(result.values[1], { key: interfaceKey("wait0"), state: "PENDING", details: ["plug of wait0"] });
    t.deepEqual(
      agent.northbound.status({ state: "pending" }).map(({ key, details }) => [key, details]),
      [
        [interfaceKey("wait0"), ["plug of wait0"]],
        [routeKey("10.71.0.0/16", "wait0"), ["plug of wait0"]],
      ],
    );
    t.like(await agent.status("wait0"), { state: "UNPLUGGED", running: [] });

    await plugIn("wait0");
    await eventually(() => agent.agent.get(Scheduler).status(hostPresentKey("wait0")).state === "OBTAINED");
    const settled = performance.now();
    const status = await agent.reaches("wait0", "PLUGGED");
    t.log(`configured ${Math.round(performance.now() - settled)} ms after it settled`);
    t.deepEqual(status.running, [interfaceKey("wait0"), routeKey("10.71.0.0/16", "wait0")]);
    t.is(status.error, "");
    t.like(await link("wait0"), { mtu: 1400 });
    t.deepEqual(await addresses("wait0"), ["10.70.0.1/24"]);
    t.is((await ip("route", "show", "10.71.0.0/16")).length, 1);
    t.deepEqual(agent.northbound.status({ state: "pending" }), []);
  },
);

test("an interface that goes takes its running configuration with it; the candidate waits for its return", async (t) => {
  const agent = await PlugAgent.start(t);
  await plugIn("back0");
  await agent.commit(register("back0"), existing("back0", { ip_addresses: ["10.72.0.1/24"] }));
  await agent.reaches("back0", "PLUGGED");
  t.deepEqual(await addresses("back0"), ["10.72.0.1/24"]);

  await pullOut("back0");
  const unplugged = await agent.reaches("back0", "UNPLUGGED");
  t.deepEqual(unplugged.running, []);
  t.deepEqual(unplugged.candidate, [interfaceKey("back0")]);
  t.like(agent.northbound.status()[0], { state: "CONFIGURED" });
  t.deepEqual(agent.northbound.status({ prefix: interfaceKey("back0") })[0]?.details, ["plug of back0"]);

  await plugIn("back0");
  await agent.reaches("back0", "PLUGGED");
  t.deepEqual(await addresses("back0"), ["10.72.0.1/24"]);
});

test("ten times out and in, as fast as it goes, ends plugged and configured", async (t) => {
  const agent = await PlugAgent.start(t);
  await agent.commit(
    register("fast0"),
    existing("fast0", { ip_addresses: ["10.73.0.1/24"] }),
    route("10.74.0.0/16", "fast0", { gw_addr: "10.73.0.2" }),
  );
  for (let round = 0; round < 10; round++) {
    await plugIn("fast0");
    await pullOut("fast0");
  }
  await plugIn("fast0");
  await eventually(async () => {
    const status = await agent.status("fast0");
    const found = await addresses("fast0");
    const routes = await ip("route", "show", "10.74.0.0/16");
    return status?.state === "PLUGGED" && found?.includes("10.73.0.1/24") && routes.length === 1;
  });
  t.pass();
});

test("an interface that is not registered is configured as ever", async (t) => {
  const agent = await PlugAgent.start(t);
  await plugIn("free0");
  await agent.commit(existing("free0", { ip_addresses: ["10.75.0.1/24"] }));
  await agent.configured("free0");
  t.deepEqual(await agent.request("plug", { interface: "free0" }), []);
  t.deepEqual(await agent.request("unplug", { interface: "free0" }), []);
  t.deepEqual(await addresses("free0"), ["10.75.0.1/24"]);
});

test("registering an interface that is there and configured changes nothing in the kernel", async (t) => {
  const agent = await PlugAgent.start(t);
  await plugIn("late0");
  await agent.commit(existing("late0", { ip_addresses: ["10.76.0.1/24"] }));
  await agent.configured("late0");
  agent.transactions.length = 0;
  await agent.request("register", { interface: "late0" });
  const { running } = await agent.reaches("late0", "PLUGGED");
  t.deepEqual(running, [interfaceKey("late0")]);
  t.deepEqual(
    agent.transactions.flatMap(({ executed }) => executed.map(({ key }) => key)),
    ["config/linux/ifmgr/v1/interface/late0"],
  );
});

test("unregistering leaves what is applied active, and later changes go straight through", async (t) => {
  const agent = await PlugAgent.start(t);
  await plugIn("leave0");
  await agent.commit(register("leave0"), existing("leave0", { ip_addresses: ["10.77.0.1/24"] }));
  await agent.reaches("leave0", "PLUGGED");
  agent.transactions.length = 0;
  t.deepEqual(await agent.request("unregister", { interface: "leave0" }), []);
  t.deepEqual(await addresses("leave0"), ["10.77.0.1/24"]);
  const { values } = await agent.commit(existing("leave0", { ip_addresses: ["10.77.0.2/24"] }));
  t.like(values[0], { state: "CONFIGURED" });
  t.deepEqual(await addresses("leave0"), ["10.77.0.2/24"]);
});

test("a change for a plugged interface is applied, and a deletion too", async (t) => {
  const agent = await PlugAgent.start(t);
  await plugIn("change0");
  await agent.commit(register("change0"), existing("change0", { ip_addresses: ["10.78.0.1/24"] }));
  await agent.reaches("change0", "PLUGGED");
  await agent.commit(existing("change0", { ip_addresses: ["10.78.0.9/24"] }));
  await eventually(async () => (await addresses("change0"))?.join() === "10.78.0.9/24");
  await agent.commit(drop(interfaceKey("change0")));
  await eventually(async () => (await addresses("change0"))?.length === 0);
  const status = await agent.reaches("change0", "PLUGGED");
  t.deepEqual([status.candidate, status.running], [[], []]);
});

test("an apply without any change does nothing", async (t) => {
  const agent = await PlugAgent.start(t);
  await plugIn("same0");
  await agent.commit(register("same0"), existing("same0", { ip_addresses: ["10.69.0.1/24"] }));
  await agent.reaches("same0", "PLUGGED");
  agent.transactions.length = 0;
  const [status] = (await agent.request("apply")).filter((one) => one.interface === "same0");
  t.like(status, { state: "PLUGGED", last_event: "apply" });
  t.deepEqual(agent.transactions, []);
});

test("a request unplugs an interface that stays, and plugs it again", async (t) => {
  const agent = await PlugAgent.start(t);
  await plugIn("hand0");
  await agent.commit(register("hand0"), existing("hand0", { ip_addresses: ["10.79.0.1/24"] }));
  await agent.reaches("hand0", "PLUGGED");
  await agent.request("unplug", { interface: "hand0" });
  await agent.reaches("hand0", "UNPLUGGED");
  t.deepEqual(await addresses("hand0"), []);
  await agent.request("plug", { interface: "hand0" });
  await agent.reaches("hand0", "PLUGGED");
  t.deepEqual(await addresses("hand0"), ["10.79.0.1/24"]);
});
