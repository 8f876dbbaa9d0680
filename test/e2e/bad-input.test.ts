/**
 * Bad input from NATS: each gets an answer that names key and field, nothing in the kernel changes, and the agent goes on.
 */
import test from "ava";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { link, links } from "#test/support/sandbox.js";
import { type Change, Orchestrator, type Result } from "./support/bus.js";
import { changesOf, configured, facts, INTERFACE, inKernel, pairOf } from "./support/pair.js";

let server: Broker;
let agent: AgentProcess;
let bus: Orchestrator;

test.before(async () => {
  server = await startNats();
  agent = await agentProcess({ label: "bad", flavor: "nats", args: ["--nats", server.url] });
  bus = await Orchestrator.connect(server.url, "bad");
});
test.after.always(async () => {
  await bus.close();
  await agent.stop();
  await server.stop();
});

const good = pairOf("good", 20);

/** The near end of the pair, with some fields changed. `undefined` removes a field. */
function near(fields: Readonly<Record<string, unknown>>): Change {
  return { key: good.near.key, value: { ...good.near.change.value, ...fields } };
}

const rejected: readonly {
  readonly what: string;
  readonly payload: string | Uint8Array | { readonly changes: readonly unknown[] };
  readonly names: readonly RegExp[];
}[] = [
  { what: "text that is not JSON", payload: '{"changes": [', names: [/JSON/] },
  {
    what: "bytes that are neither JSON nor protobuf",
    payload: new Uint8Array([0xff, 0xff, 0xff]),
    names: [/protobuf|JSON/],
  },
  { what: "JSON that is no transaction", payload: '"hello"', names: [/transaction|object/i] },
  {
    what: "a field that transactions do not have",
    payload: JSON.stringify({ changes: [], atomik: true }),
    names: [/atomik/],
  },
  {
    what: "an unknown key",
    payload: { changes: [{ key: "config/linux/interfaces/v9/interface/x", value: { name: "x" } }] },
    names: [/config\/linux\/interfaces\/v9\/interface\/x/],
  },
  {
    what: "a key that contradicts its value",
    payload: { changes: [{ key: `${INTERFACE}other`, value: good.near.change.value }] },
    names: [/interface\/other/, /name/, /good-near/],
  },
  {
    what: "the same key twice",
    payload: { changes: [near({}), near({ mtu: 1300 })] },
    names: [/good-near/, /twice|again|more than once/],
  },
  {
    what: "a bad address",
    payload: { changes: [near({ ip_addresses: ["10.0.0.1/24", "10.0.0.256/24"] })] },
    names: [/good-near/, /ip_addresses\[1\]/, /10\.0\.0\.256\/24/],
  },
  {
    what: "a bad MAC address",
    payload: { changes: [near({ phys_address: "no:mac" })] },
    names: [/good-near/, /phys_address/, /no:mac/],
  },
  {
    what: "a missing peer name",
    payload: { changes: [near({ veth: {} })] },
    names: [/good-near/, /veth\.peer_if_name/],
  },
  {
    what: "a field of the wrong type",
    payload: { changes: [near({ mtu: "large" })] },
    names: [/good-near/, /mtu/, /large/],
  },
  {
    what: "a field that the message does not have",
    payload: { changes: [near({ colour: 1 })] },
    names: [/good-near/, /colour/],
  },
  {
    what: "an enum name that does not exist",
    payload: { changes: [near({ type: "VETT" })] },
    names: [/good-near/, /type/, /VETT/],
  },
];

for (const { what, payload, names } of rejected) {
  test.serial(`${what} is rejected, and the answer says what is wrong`, async (t) => {
    const before = await links();
    const isRaw = typeof payload === "string" || payload instanceof Uint8Array;
    const reply = await bus.send("config.commit", isRaw ? payload : JSON.stringify(payload));
    const result = reply.json<Result>();
    t.is(result.outcome, "REJECTED", JSON.stringify(result));
    for (const name of names) t.regex(JSON.stringify(result), name);
    t.not(result.error, "");
    t.deepEqual(await links(), before);
    t.true(agent.running);
  });
}

test.serial("one wrong value rejects the whole transaction", async (t) => {
  const result = await bus.commit([good.far.change, near({ ip_addresses: ["nonsense"] })]);
  t.is(result.outcome, "REJECTED");
  t.deepEqual(await inKernel(good), { near: undefined, far: undefined });
});

test.serial(
  "an MTU that the kernel refuses fails with the kernel's words, and heals when it is put right",
  async (t) => {
    // A veth takes 68 to 65535.
    const result = await bus.commit([near({ mtu: 50 }), good.far.change]);
    t.true(["PARTIAL", "REJECTED"].includes(result.outcome), JSON.stringify(result));
    t.regex(JSON.stringify(result), /good-near/);
    t.regex(JSON.stringify(result), /mtu/i);
    t.is(result.error.split(good.near.key).length, 2, `the key is named once: ${result.error}`);

    const repaired = await bus.commit(changesOf(good));
    t.is(repaired.outcome, "APPLIED", JSON.stringify(repaired));
    const { near: first, far: second } = await inKernel(good);
    t.deepEqual([facts(first), facts(second)], [configured(good.near), configured(good.far)]);
  },
);

test.serial("a namespace that cannot be made fails the value and names it", async (t) => {
  const value = {
    ...good.far.change.value,
    name: "lost",
    namespace: { type: "NSID", reference: "no/such" },
    veth: { peer_if_name: "lost-too" },
  };
  const other = { ...good.near.change.value, name: "lost-too", veth: { peer_if_name: "lost" } };
  const result = await bus.commit([
    { key: `${INTERFACE}lost`, value },
    { key: `${INTERFACE}lost-too`, value: other },
  ]);
  t.true(["PARTIAL", "REJECTED"].includes(result.outcome), JSON.stringify(result));
  t.regex(JSON.stringify(result), /no\/such/);
  t.regex(JSON.stringify(result), /namespace/);
  await bus.commit([`${INTERFACE}lost`, `${INTERFACE}lost-too`].map((key) => ({ key, delete: true })));
});

test.serial("a namespace of a process that does not exist is named too", async (t) => {
  const namespace = { type: "PID", reference: "999999999" };
  const pair = pairOf("nopid", 21);
  const result = await bus.commit([
    pair.near.change,
    { key: pair.far.key, value: { ...pair.far.change.value, namespace } },
  ]);
  t.true(["APPLIED", "PARTIAL", "REJECTED"].includes(result.outcome));
  t.true(
    result.values.every(({ state }) => state !== "CONFIGURED"),
    JSON.stringify(result),
  );
  t.regex(JSON.stringify(result), /999999999/);
  t.is(await link(pair.near.name), undefined);
  await bus.commit([pair.near.key, pair.far.key].map((key) => ({ key, delete: true })));
});

test.serial(
  "what can never be applied from the bucket goes to the dead letters and does not block what is behind it",
  async (t) => {
    const letters = bus.collect("event.deadletter");
    const pair = pairOf("behind", 22);
    await bus.put(`${INTERFACE}misnamed`, pair.near.change.value);
    await bus.put(pair.near.key, pair.near.change.value);
    await bus.put(pair.far.key, pair.far.change.value);
    await eventually(async () => (await link(pair.near.name)) !== undefined, { what: "the pair behind the bad value" });
    const letter = await eventually(() => letters[0], { what: "a dead letter" });
    t.regex(letter.string(), /misnamed/);
  },
);

test("an agent without permission says which one it needs, and goes on", async (t) => {
  // Every capability is given up, as for an ordinary user.
  const bare = await agentProcess({
    label: "bare",
    flavor: "nats",
    args: ["--nats", server.url],
    wrapper: ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--"],
    until: "alive",
  });
  t.teardown(() => bare.stop());
  const client = await Orchestrator.connect(server.url, "bare");
  t.teardown(() => client.close());
  const pair = pairOf("bare", 23);
  const result = await eventually(() => client.commit(changesOf(pair)), { what: "the agent to take requests" });
  t.is(result.outcome, "PARTIAL", JSON.stringify(result));
  t.regex(JSON.stringify(result), /CAP_NET_ADMIN/);
  t.true(bare.running);
});
