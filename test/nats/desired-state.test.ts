import test, { type ExecutionContext } from "ava";
import type { KV } from "nats";
import { ModelRegistry } from "#core/model/types.js";
import { Northbound } from "#core/northbound/index.js";
import { configBucketKey } from "#proto/nats.js";
import type { Broker } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { type BusAgent, broker, bus, busAgent, dummy, PATIENT, veth, vethKey } from "./support/agent.js";

const BUCKET = "tenuto-config";

async function bucket(t: ExecutionContext, server: Broker, name = BUCKET): Promise<KV> {
  const connection = await bus(t, server.url);
  return connection.jetstream().views.kv(name, { history: 1 });
}

async function put(kv: KV, label: string, ...values: readonly { key: string; value: object }[]): Promise<void> {
  for (const { key, value } of values) await kv.put(configBucketKey(label, key), JSON.stringify(value));
}

function desired({ agent }: BusAgent): readonly string[] {
  return agent
    .get(Northbound)
    .get()
    .map(({ key }) => key.split("/").at(-1)!)
    .toSorted();
}

function wants(agent: BusAgent, ...names: readonly string[]): Promise<boolean> {
  return eventually(() => JSON.stringify(desired(agent)) === JSON.stringify(names), {
    what: `the agent to want ${names.join(", ")}`,
  }).then(() => true);
}

function healthy(agent: BusAgent): Promise<boolean> {
  return eventually(() => agent.health().state === "ok", { what: "the agent on the bus" });
}

test("the first start creates the bucket, and what is written there is applied, changed and deleted", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url } });
  await healthy(agent);
  const kv = await bucket(t, server);
  await put(kv, agent.label, veth("v1", "v2"), dummy("d1"));
  t.true(await wants(agent, "d1", "v1"));

  await put(kv, agent.label, dummy("d1", { mtu: 1400 }));
  const northbound = agent.agent.get(Northbound);
  const mtu = (): unknown => Object(northbound.get(vethKey("d1"))[0]?.value).mtu;
  await eventually(() => mtu() === 1400);
  await kv.delete(configBucketKey(agent.label, vethKey("d1")));
  t.true(await wants(agent, "v1"));
  await kv.purge(configBucketKey(agent.label, vethKey("v1")));
  t.true(await wants(agent));
});

test("an agent that starts finds what was written before, and nothing of other agents", async (t) => {
  const server = await broker(t);
  const kv = await bucket(t, server);
  await put(kv, "host.example.com", dummy("mine"));
  await put(kv, "host", dummy("other"));
  const agent = await busAgent(t, { label: "host.example.com", nats: { url: server.url } });
  t.true(await wants(agent, "mine"));
});

test("keys may be written by hand: with dots, with a slash before them, in the form of the first generation", async (t) => {
  const server = await broker(t);
  const kv = await bucket(t, server);
  const route = { outgoing_interface: "d1", dst_network: "10.1.0.0/16" };
  await kv.put("h1.config/linux/l3/v2/route/10.1.0.0/16/d1", JSON.stringify(route));
  await kv.put(
    "h1./vnf-agent/h1/linux/config/v1/interface/old",
    JSON.stringify({ type: 0, name: "old", veth: { peer_if_name: "x" } }),
  );
  const agent = await busAgent(t, { label: "h1", nats: { url: server.url } });
  t.true(await wants(agent, "d1", "old"));
});

test("a value may be written in protobuf", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url } });
  const { key, value } = dummy("binary", { mtu: 1400 });
  const bytes = agent.agent.get(ModelRegistry).encode(key, value, "protobuf");
  await healthy(agent);
  await (await bucket(t, server)).put(configBucketKey(agent.label, key), bytes);
  t.true(await wants(agent, "binary"));
  t.deepEqual(agent.agent.get(Northbound).get(key), [{ key, value }]);
});

test("what can never be applied becomes a dead letter and does not block what is behind it", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url } });
  await healthy(agent);
  const connection = await bus(t, server.url);
  const letters: string[] = [];
  connection.subscribe(`tenuto.${agent.label}.event.deadletter`, {
    callback: (_error, message) => letters.push(message.json<{ key: string }>().key),
  });
  await connection.flush();
  const kv = await bucket(t, server);
  await kv.put(`${agent.label}.no/such/kind`, "{}");
  await kv.put(`${agent.label}.broken=Zescape`, "{}");
  await kv.put(configBucketKey(agent.label, vethKey("bad")), "{ no JSON");
  await put(kv, agent.label, dummy("good"));
  t.true(await wants(agent, "good"));
  await eventually(() => letters.length === 3, { what: "three dead letters" });
  t.true(letters.includes(vethKey("bad")));
});

test("after an outage the agent goes on where it was: changes and deletions it missed are applied", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url } });
  await healthy(agent);
  const kv = await bucket(t, server);
  await put(kv, agent.label, dummy("a"), dummy("b"), dummy("c"), dummy("d"));
  t.true(await wants(agent, "a", "b", "c", "d"));

  await server.kill();
  await eventually(() => agent.health().state === "degraded");
  t.deepEqual(desired(agent), ["a", "b", "c", "d"], "the host stays as it is without its bus");

  await server.restart();
  const again = await bucket(t, server);
  await again.delete(configBucketKey(agent.label, vethKey("a")));
  await put(again, agent.label, dummy("e"));
  t.true(await wants(agent, "b", "c", "d", "e"));
});

test("a key that was deleted while the agent was away, and whose delete marker was purged, is given up", async (t) => {
  const server = await broker(t);
  // Slow to come back, so that the purge happens while it is away.
  const agent = await busAgent(t, { nats: { url: server.url, reconnect_min: "4s", reconnect_max: "4s" } });
  await healthy(agent);
  await put(await bucket(t, server), agent.label, dummy("a"), dummy("b"));
  t.true(await wants(agent, "a", "b"));

  await server.restart();
  const connection = await bus(t, server.url);
  await (await bucket(t, server)).delete(configBucketKey(agent.label, vethKey("a")));
  const manager = await connection.jetstreamManager();
  await manager.streams.purge(`KV_${BUCKET}`, {
    filter: `$KV.${BUCKET}.${configBucketKey(agent.label, vethKey("a"))}`,
  });
  t.true(await wants(agent, "b"));
});

test("a bucket that was lost and made anew does not take the network away", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url } });
  await healthy(agent);
  const kv = await bucket(t, server);
  await put(kv, agent.label, dummy("a"), dummy("b"));
  t.true(await wants(agent, "a", "b"));

  await kv.destroy();
  await eventually(() => agent.health().state === "degraded", { what: "the loss to be noticed" });
  await healthy(agent);
  t.deepEqual(desired(agent), ["a", "b"]);
  const anew = await bucket(t, server);
  await put(anew, agent.label, dummy("c"));
  t.true(await wants(agent, "a", "b", "c"));
  await anew.delete(configBucketKey(agent.label, vethKey("a")));
  t.true(await wants(agent, "b", "c"));
});

test("without JetStream requests are served, and health says what is missing", async (t) => {
  const server = await broker(t, { jetstream: false });
  const agent = await busAgent(t, { nats: { url: server.url } });
  const reason = await eventually(() => /JetStream is not enabled/.exec(agent.health().reason)?.[0]);
  t.truthy(reason);
  const connection = await bus(t, server.url);
  const answer = await eventually(() => connection.request(`tenuto.${agent.label}.config.get`, "", PATIENT));
  t.deepEqual(answer.json(), { values: [] });
});
