/**
 * The main job, from outside: a real nats-server, the agent as a process of its own, a real kernel looked at with iproute2.
 */
import { isDeepStrictEqual } from "node:util";
import test from "ava";
import protobuf from "protobufjs";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { projectRoot } from "#test/support/project.js";
import { ip, link, links, namespaces } from "#test/support/sandbox.js";
import { Orchestrator, type Result } from "./support/bus.js";
import { changesOf, configured, facts, inKernel, type Pair, pairOf } from "./support/pair.js";

let server: Broker;

test.before(async () => {
  server = await startNats();
});
test.after.always(() => server.stop());

interface Scene {
  readonly agent: AgentProcess;
  readonly bus: Orchestrator;
}

/** An agent with the flavor nats, and an orchestrator that knows its label. */
async function scene(t: { teardown(undo: () => Promise<void>): void }, label: string): Promise<Scene> {
  const agent = await agentProcess({ label, flavor: "nats", args: ["--nats", server.url] });
  t.teardown(() => agent.stop());
  const bus = await Orchestrator.connect(server.url, label);
  t.teardown(() => bus.close());
  return { agent, bus };
}

function states(result: Result): Readonly<Record<string, string>> {
  return Object.fromEntries(result.values.map(({ key, state }) => [key, state]));
}

/** The state of every value below a key prefix, as the agent reports it. */
async function southboundStates(bus: Orchestrator, prefix: string): Promise<Readonly<Record<string, string>>> {
  const { values } = await bus.request<Pick<Result, "values">>("config.status", { prefix });
  return Object.fromEntries(values.map(({ key, state }) => [key, state]));
}

function bothConfigured(pair: Pair): Readonly<Record<string, string>> {
  return { [pair.far.key]: "CONFIGURED", [pair.near.key]: "CONFIGURED" };
}

/** Key prefix of both ends and nothing else. */
function bothEnds(pair: Pair): string {
  return pair.near.key.slice(0, -"near".length);
}

test("a pair sent as one JSON transaction is in the kernel as asked, and its states are on the bus", async (t) => {
  const { bus } = await scene(t, "t1");
  const pair = pairOf("light", 1);
  const published = bus.collect("state.interface.>");

  const result = await bus.commit(changesOf(pair), { id: "first-light" });
  t.like(result, { id: "first-light", outcome: "APPLIED", error: "" });
  t.deepEqual(states(result), bothConfigured(pair));

  const { near, far } = await inKernel(pair);
  t.deepEqual(facts(near), configured(pair.near));
  t.deepEqual(facts(far), configured(pair.far));

  for (const { name, mtu, mac } of [pair.near, pair.far]) {
    const message = await eventually(
      () =>
        published
          .filter(({ subject }) => subject === `tenuto.t1.state.interface.${name}`)
          .find((candidate) => candidate.json<{ state: { oper_status: string } }>().state.oper_status === "UP"),
      { what: `the state of ${name} to be published as UP` },
    );
    const { state } = message.json<{ state: Record<string, unknown> }>();
    t.like(state, { name, type: "VETH", admin_status: "UP", oper_status: "UP", mtu, phys_address: mac });
    const header = (field: string): string | undefined => message.headers?.get(field);
    t.is(header("ce-specversion"), "1.0");
    t.is(header("ce-source"), "/tenuto/t1");
    t.is(header("ce-type"), "io.tenuto.interface.state");
    t.is(header("ce-subject"), name);
    t.truthy(header("ce-id"));
    t.false(Number.isNaN(Date.parse(header("ce-time") ?? "")));
  }
});

test("the last state of each interface waits in the bucket tenuto-state for who comes late", async (t) => {
  const { bus } = await scene(t, "late");
  const pair = pairOf("late", 2);
  await bus.commit(changesOf(pair));
  const entry = await eventually(async () => {
    const bucket = await bus.connection.jetstream().views.kv("tenuto-state");
    const found = await bucket.get(`late.interface.${pair.near.name}`);
    return found?.json<{ state: { oper_status: string } }>().state.oper_status === "UP" ? found : undefined;
  });
  t.like(entry.json<{ state: object }>().state, { name: pair.near.name, mtu: pair.near.mtu });
});

test("one end alone is pending and says on what; the other end arrives and both come up", async (t) => {
  const { bus } = await scene(t, "halves");
  const pair = pairOf("halves", 3);

  const first = await bus.commit([pair.near.change]);
  t.is(first.outcome, "APPLIED");
  t.deepEqual(states(first), { [pair.near.key]: "PENDING" });
  t.true(first.values[0]?.details.join(" ").includes(pair.far.name), JSON.stringify(first.values));
  t.is(await link(pair.near.name), undefined);

  const second = await bus.commit([pair.far.change]);
  t.is(second.outcome, "APPLIED");
  t.deepEqual(await southboundStates(bus, bothEnds(pair)), bothConfigured(pair));
  const { near, far } = await inKernel(pair);
  t.deepEqual([facts(near), facts(far)], [configured(pair.near), configured(pair.far)]);
});

test("the same as protobuf, told by the content type, answered in protobuf", async (t) => {
  const { bus } = await scene(t, "binary");
  const pair = pairOf("binary", 4);
  const types = new protobuf.Root();
  types.resolvePath = (_origin, target) => (target.startsWith("google/") ? target : `${projectRoot}proto/${target}`);
  types.loadSync(["tenuto/v1/transaction.proto", "ligato/linux/interfaces/interface.proto"], { keepCase: true });
  const Interface = types.lookupType("ligato.linux.interfaces.Interface");
  const Transaction = types.lookupType("tenuto.v1.Transaction");
  const TransactionResult = types.lookupType("tenuto.v1.TransactionResult");

  const changes = [pair.near, pair.far].map(({ key, change }) => ({
    key,
    value: {
      type_url: "type.googleapis.com/ligato.linux.interfaces.Interface",
      value: Interface.encode(Interface.fromObject(change.value)).finish(),
    },
  }));
  const payload = Transaction.encode(Transaction.fromObject({ id: "binary", changes })).finish();

  const reply = await bus.send("config.commit", payload);
  const result = TransactionResult.toObject(TransactionResult.decode(reply.data), { enums: String, defaults: true });
  t.like(result, { id: "binary", outcome: "APPLIED", error: "" });
  t.deepEqual(states(result as Result), bothConfigured(pair));
  const { near, far } = await inKernel(pair);
  t.deepEqual([facts(near), facts(far)], [configured(pair.near), configured(pair.far)]);
});

test("an end is deleted: the pair goes, the other end is pending again, the namespace that was made goes too", async (t) => {
  const { bus } = await scene(t, "del");
  const pair = pairOf("del", 5);
  await bus.commit(changesOf(pair));
  t.true((await namespaces()).includes("del"));

  const result = await bus.commit([{ key: pair.far.key, delete: true }]);
  t.is(result.outcome, "APPLIED");
  t.deepEqual(await southboundStates(bus, bothEnds(pair)), { [pair.near.key]: "PENDING" });
  t.deepEqual(await inKernel(pair), { near: undefined, far: undefined });
  await eventually(async () => !(await namespaces()).includes("del"), { what: "the namespace to be removed" });

  const again = await bus.commit([pair.far.change]);
  t.is(again.outcome, "APPLIED");
  t.deepEqual(await southboundStates(bus, bothEnds(pair)), bothConfigured(pair));
  const { near, far } = await inKernel(pair);
  t.deepEqual([facts(near), facts(far)], [configured(pair.near), configured(pair.far)]);
});

/** Makes a link that only serves to be seen in `ip monitor`, and removes it. */
async function mark(name: string): Promise<void> {
  await ip("link", "add", name, "type", "veth");
  await ip("link", "delete", name);
}

/** Lines that `ip monitor` prints about a link while `act` runs. */
async function kernelChanges(name: string, act: () => Promise<void>): Promise<readonly string[]> {
  const monitor = await Child.start(["ip", "-o", "monitor", "link", "address"]);
  try {
    // It listens once it has told of a mark, and has told all when it has told of a later one.
    await eventually(async () => {
      await mark("begin0");
      return monitor.log.includes("begin0");
    });
    await act();
    await mark("end0");
    await monitor.logged(/end0/, 120_000);
  } finally {
    await monitor.stop();
  }
  return monitor.log.split("\n").filter((line) => line.includes(name));
}

test("killed with -9 and restarted, it finds its pair, changes nothing, and reports CONFIGURED again", async (t) => {
  const { agent, bus } = await scene(t, "killed");
  const pair = pairOf("killed", 6);
  await bus.commit(changesOf(pair));
  const before = await eventually(
    async () => {
      const settled = await inKernel(pair);
      return JSON.stringify(settled).includes('"tentative":true') ? undefined : settled;
    },
    { what: "the kernel to end its duplicate address detection, which it reports as a change" },
  );

  await agent.kill9();
  const changes = await kernelChanges(pair.near.name, async () => {
    await agent.restart();
    const result = await bus.commit(changesOf(pair));
    t.is(result.outcome, "APPLIED");
    t.deepEqual(states(result), bothConfigured(pair));
  });
  t.deepEqual(changes, []);
  const after = await inKernel(pair);
  t.deepEqual(after, before);
});

test("with the bucket tenuto-config as its source it comes back by itself after kill -9", async (t) => {
  const { agent, bus } = await scene(t, "bucket");
  const pair = pairOf("bucket", 7);
  await bus.put(pair.near.key, pair.near.change.value);
  await bus.put(pair.far.key, pair.far.change.value);
  const isHeld = async (): Promise<boolean> =>
    isDeepStrictEqual(await southboundStates(bus, bothEnds(pair)), bothConfigured(pair));
  await eventually(isHeld, { what: "both ends to be configured from the bucket" });
  const before = await inKernel(pair);
  t.deepEqual([facts(before.near), facts(before.far)], [configured(pair.near), configured(pair.far)]);

  await agent.kill9();
  await agent.restart();
  await eventually(isHeld, { what: "both ends to be configured again" });
  const after = await inKernel(pair);
  t.deepEqual([after.near?.ifindex, after.far?.ifindex], [before.near?.ifindex, before.far?.ifindex]);
});

test("interfaces that are not ours are never touched", async (t) => {
  await ip("link", "add", "theirs0", "type", "veth", "peer", "name", "theirs1");
  await ip("address", "add", "192.0.2.1/24", "dev", "theirs0");
  await ip("link", "set", "theirs0", "up", "alias", "somebody else's");
  const theirs = async (): Promise<unknown> =>
    (await links())
      .filter(({ ifname }) => ifname.startsWith("theirs"))
      .map(({ ifname, ifindex, flags, address, ifalias, addr_info }) => ({
        ifname,
        ifindex,
        flags,
        address,
        ifalias,
        addr_info,
      }));
  const before = await theirs();

  const { agent, bus } = await scene(t, "theirs");
  const pair = pairOf("theirs", 8);
  await bus.commit(changesOf(pair));
  await bus.commit([], { mode: "REPLACE" });
  t.deepEqual(await inKernel(pair), { near: undefined, far: undefined });
  await agent.kill9();
  await agent.restart();
  await bus.request("config.resync", {});

  // Asked for by name, it is refused rather than taken over.
  const claimed = pairOf("theirs", 9);
  const value = { ...claimed.near.change.value, host_if_name: "theirs0" };
  const result = await bus.commit([{ key: claimed.near.key, value }, claimed.far.change]);
  t.not(states(result)[claimed.near.key], "CONFIGURED");
  t.true(JSON.stringify(result.values).includes("theirs0"), JSON.stringify(result.values));
  await bus.commit([], { mode: "REPLACE" });
  t.deepEqual(await theirs(), before);
});

test("a client that asks NATS finds the agent as the service tenuto", async (t) => {
  const { bus } = await scene(t, "found");
  const found = [];
  for await (const info of await bus.connection.services.client().info("tenuto")) found.push(info);
  const ours = found.find(({ metadata }) => metadata?.label === "found");
  t.is(ours?.metadata?.flavor, "nats");
  t.true(ours?.endpoints.some(({ subject }) => subject === "tenuto.found.config.commit"));
});
