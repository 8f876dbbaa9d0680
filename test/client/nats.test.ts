import test, { type ExecutionContext } from "ava";
import {
  type AgentClientError,
  Changes,
  type ConnectOptions,
  connectNats,
  interfaceModel,
  type NatsClient,
  routeModel,
} from "#client/index.js";
import { type BusAgent, broker, bus, busAgent, dummy, REFUSED_MTU, veth, vethKey } from "#test/nats/support/agent.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";

let server: Broker;

test.before(async () => {
  server = await startNats();
});

test.after.always(() => server.stop());

async function client(t: ExecutionContext, label: string, options: Partial<ConnectOptions> = {}): Promise<NatsClient> {
  const connected = await connectNats({ servers: server.url, label, timeout: 60_000, ...options });
  t.teardown(() => connected.close());
  return connected;
}

interface Pair {
  readonly agent: BusAgent;
  readonly client: NatsClient;
}

async function pair(t: ExecutionContext, on = server, options: Partial<ConnectOptions> = {}): Promise<Pair> {
  const agent = await busAgent(t, { nats: { url: on.url } });
  await eventually(() => agent.health().state === "ok", { what: "the agent on the bus" });
  return { agent, client: await client(t, agent.label, { servers: on.url, ...options }) };
}

test("typed changes are applied and read back", async (t) => {
  const { client } = await pair(t);
  const transaction = new Changes()
    .set(interfaceModel, { name: "d1", type: "DUMMY", mtu: 1400 })
    .set(routeModel, { outgoing_interface: "d1", dst_network: "10.1.0.0/16" })
    .transaction({ description: "two values" });
  const result = await client.commit(transaction);
  t.is(result.outcome, "APPLIED");
  t.not(result.id, "");
  t.deepEqual(await client.get(vethKey("d1")), [
    { key: vethKey("d1"), value: { name: "d1", type: "DUMMY", mtu: 1400 } },
  ]);
  t.is((await client.dump("cached")).length, 2);

  const removed = await client.commit(new Changes().delete(vethKey("d1")).transaction());
  t.is(removed.outcome, "APPLIED");
  t.deepEqual(await client.get(vethKey("d1")), []);
});

test("status, history, confirm, cancel and resync", async (t) => {
  const { client } = await pair(t);
  const changes = [veth("v1", "v2"), dummy("bad", { mtu: REFUSED_MTU })];
  t.is((await client.commit({ id: "one", changes })).outcome, "PARTIAL");
  t.deepEqual(
    (await client.status({ state: "pending" })).map(({ key }) => key),
    [vethKey("v1")],
  );
  t.deepEqual(
    (await client.status({ prefix: vethKey("bad") })).map(({ state }) => state),
    ["RETRYING"],
  );
  const entry = (await client.history()).find(({ id }) => id === "one");
  t.deepEqual(
    (await client.history(entry?.seq)).map(({ id }) => id),
    ["one"],
  );

  t.is((await client.commit({ id: "two", confirm_timeout: "60s", changes: [dummy("a")] })).outcome, "UNCONFIRMED");
  t.is((await client.confirm("two")).outcome, "APPLIED");
  await client.commit({ id: "three", confirm_timeout: "60s", changes: [dummy("c")] });
  t.is((await client.cancel("three")).outcome, "REVERTED");
  t.deepEqual(await client.get(vethKey("c")), []);
  t.not((await client.resync({ downstream: true })).seq, 0);
});

test("a refused transaction is an answer; a request that makes no sense is an error with the agent's code", async (t) => {
  const { client } = await pair(t);
  const refused = await client.commit({ changes: [{ key: "no/such/kind", value: {} }] });
  t.is(refused.outcome, "REJECTED");
  t.regex(refused.error, /no\/such\/kind/);
  const error = await t.throwsAsync<AgentClientError>(client.confirm("nobody-knows"));
  t.regex(error.code, /^[A-Z_]+$/);
  t.regex(error.message, /nobody-knows/);
});

test("a transaction larger than the broker's messages travels in parts, and so does a large answer", async (t) => {
  const small = await broker(t, { configuration: "max_payload: 16384" });
  const { client } = await pair(t, small);
  const changes = Array.from({ length: 1_000 }, (_, index) => dummy(`d${index}`, { mtu: 1400 }));
  const result = await client.commit({ atomic: true, changes });
  t.is(result.outcome, "APPLIED");
  t.true(result.truncated);
  t.true(result.values.length < 1_000);
  const values = await client.get();
  t.deepEqual(values.map(({ key }) => key).toSorted(), changes.map(({ key }) => key).toSorted());
  t.is((await client.status()).length, 1_000);
});

test("an agent that is not there is told soon, or waited for", async (t) => {
  const nobody = await client(t, "nobody");
  t.is((await t.throwsAsync<AgentClientError>(nobody.get())).code, "NO_AGENT");

  const patient = await client(t, "late", { patience: 60_000 });
  const answer = patient.get();
  await busAgent(t, { label: "late", nats: { url: server.url } });
  t.deepEqual(await answer, []);
});

test("a broker that is not there, or refuses us, is told when connecting", async (t) => {
  const own = await broker(t, { configuration: "authorization { user: me, password: right }" });
  const address = own.url.replace("nats://", "");
  const wrong = connectNats({ servers: `nats://me:wrong@${address}`, label: "x" });
  const denied = await t.throwsAsync<AgentClientError>(wrong);
  t.is(denied.code, "DENIED");
  t.false(denied.message.includes("wrong"));
  await own.kill();
  t.is((await t.throwsAsync<AgentClientError>(connectNats({ servers: own.url, label: "x" }))).code, "UNREACHABLE");
});

test("restarts of the broker during a stream of transactions: each is answered, and applied once", async (t) => {
  const own = await broker(t);
  const { client } = await pair(t, own);
  const ids = Array.from({ length: 200 }, (_, index) => `tx-${index}`);
  let restart: Promise<void> | undefined;
  for (const [index, id] of ids.entries()) {
    if (index % 40 === 20) {
      await restart;
      restart = own.restart();
    }
    const result = await client.commit({ id, changes: [dummy(`d${index % 10}`, { mtu: 1_000 + index })] });
    t.is(result.outcome, "APPLIED");
    t.is(result.id, id);
  }
  await restart;
  const applied = (await client.history()).map(({ id }) => id).filter((id) => id.startsWith("tx-"));
  t.deepEqual(applied, ids);
});

test("desired state in the bucket is applied, listed and withdrawn", async (t) => {
  const { client } = await pair(t);
  const { key, value } = dummy("d1");
  await client.desired.put(key, value);
  await eventually(async () => (await client.status({ prefix: key }))[0]?.state === "CONFIGURED");
  t.deepEqual(await client.desired.entries(), [{ key, value }]);
  await client.desired.delete(key);
  await eventually(async () => (await client.get(key)).length === 0);
  t.deepEqual(await client.desired.entries(), []);
});

test("watching interfaces begins with their last states, then tells each change once", async (t) => {
  const { agent, client } = await pair(t);
  agent.tell("eth0", "DOWN");
  agent.tell("eth0", "UP");
  const bucket = await client.desired.entries();
  t.deepEqual(bucket, []);
  const seen: string[] = [];
  const controller = new AbortController();
  for await (const { subject, source, data } of client.watch("interfaces", { signal: controller.signal })) {
    t.is(source, `/tenuto/${agent.label}`);
    seen.push(`${subject} ${(data as { state: { oper_status: string } }).state.oper_status}`);
    if (seen.length === 1) agent.tell("a/b c", "UP");
    if (seen.length === 2) agent.tell("eth0", "DELETED");
    if (seen.length === 3) controller.abort();
  }
  t.deepEqual(seen, ["eth0 UP", "a/b c UP", "eth0 DELETED"]);
});

test("watching transactions; closing the client ends the watch", async (t) => {
  const { agent, client: committing } = await pair(t);
  const watching = await client(t, agent.label);
  const seen: string[] = [];
  const watched = (async () => {
    for await (const { type, subject } of watching.watch("transactions")) seen.push(`${type} ${subject}`);
  })();
  await eventually(async () => {
    await committing.commit({ id: `t${seen.length}`, changes: [dummy("a")] });
    return seen.length > 0;
  });
  await watching.close();
  await watched;
  t.is(seen[0], "io.tenuto.transaction.finished t0");
});

test("the agents on a bus are discovered", async (t) => {
  const own = await broker(t);
  await Promise.all(["h1", "h2.example.com"].map((label) => busAgent(t, { label, nats: { url: own.url } })));
  const one = await client(t, "h1", { servers: own.url });
  const found = await eventually(async () => {
    const agents = await one.discover();
    return agents.length === 2 && agents;
  });
  t.deepEqual(
    found.map(({ label }) => label),
    ["h1", "h2.example.com"],
  );
});

test("of a flood of requests the agent takes only so many at once, and each is asked again until it is answered", async (t) => {
  const agent = await busAgent(t, { nats: { url: server.url, max_pending_requests: 32 } });
  await eventually(() => agent.health().state === "ok", { what: "the agent on the bus" });
  const flood = await client(t, agent.label, { timeout: 120_000 });
  const commits = Array.from({ length: 500 }, (_, index) => flood.commit({ changes: [dummy(`d${index}`)] }));
  const results = await Promise.all(commits);
  t.true(results.every(({ outcome }) => outcome === "APPLIED"));
  t.is((await flood.get(vethKey("d"))).length, 500);

  const plain = await bus(t, server.url);
  const refused: number[] = [];
  for await (const { metadata, endpoints = [] } of await plain.services.client().stats("tenuto")) {
    if (metadata?.label !== agent.label) continue;
    for (const { name, data } of endpoints) if (name === "commit") refused.push(Object(data).num_errors);
  }
  t.true(refused.length === 1 && refused[0]! > 0, "the agent was busy");
});

test("a process that closes its client while a bucket is being opened ends by itself", async (t) => {
  const own = await startNats();
  t.teardown(() => own.stop());
  const program = new URL("./ending-process.js", import.meta.url).pathname;
  for (const what of ["entries", "watch"]) {
    const child = await Child.start([process.execPath, program, own.url, what]);
    t.teardown(() => child.kill().then(() => undefined));
    t.deepEqual(await child.exited, { code: 0, signal: null }, child.log);
    t.regex(child.log, /^closed: /);
  }
});
