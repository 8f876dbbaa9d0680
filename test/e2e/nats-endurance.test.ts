/**
 * NATS under bad conditions: broker and agent are processes that die in the middle of a stream of transactions, and the
 * kernel is looked at with iproute2. `npm run test:long` does the same with larger numbers.
 */
import { randomUUID } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import { connectNats, type NatsClient } from "#client/index.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { counts } from "#test/support/counts.js";
import { eventually } from "#test/support/eventually.js";
import { links } from "#test/support/sandbox.js";
import { Orchestrator, type Result } from "./support/bus.js";
import { eachAppliedUnderItsOwnNumber, eachInTheKernelOnce, healthy, startsWithoutBroker } from "./support/claims.js";
import { change, large, mtuOf, poison, routesInParts } from "./support/hostile.js";
import { INTERFACE } from "./support/pair.js";
import { end, Stream, type Transaction } from "./support/stream.js";

const { transactions, brokerRestarts, agentKills, patience, ...many } = counts({
  transactions: 240,
  brokerRestarts: 3,
  agentKills: 50,
  poison: 100,
  routes: 4_000,
});

const LABEL = "endures";

let server: Broker;
let agent: AgentProcess;
let client: NatsClient;

test.before(async () => {
  server = await startNats();
  const configuration = { nats: { reconnect_min: "20ms", reconnect_max: "200ms" } };
  const args = ["--nats", server.url];
  agent = await agentProcess({ label: LABEL, flavor: "nats", args, configuration, until: "alive" });
  client = await connectNats({ servers: server.url, label: LABEL, timeout: patience, patience });
});

test.after.always(async () => {
  await client?.close();
  await agent?.stop();
  await server?.stop();
});

async function plainBus(t: ExecutionContext): Promise<Orchestrator> {
  const bus = await Orchestrator.connect(server.url, LABEL);
  t.teardown(() => bus.close());
  return bus;
}

function commit(transaction: Omit<Transaction, "id">): Promise<Result> {
  return client.commit(transaction);
}

test.serial(
  "a broker that dies again and again loses no transaction of a stream, and none is applied twice",
  async (t) => {
    t.timeout(patience);
    await healthy(agent);
    const stream = new Stream("broker", 20, transactions);
    const kernel = await stream.watchKernel();
    const answers = await stream.run(commit, brokerRestarts, async () => {
      await server.kill();
      await server.restart();
    });
    eachAppliedUnderItsOwnNumber(t, stream, answers);
    await eachInTheKernelOnce(t, kernel, transactions);
    await stream.settled(agent);
    t.log(`${transactions} transactions, ${brokerRestarts} restarts of the broker`);
  },
);

test.serial("an agent that is killed again and again has applied all that it answered, and answers all", async (t) => {
  t.timeout(patience);
  const stream = new Stream("agent", 21, transactions);
  const kernel = await stream.watchKernel();
  const answers = await stream.run(commit, agentKills, async () => {
    await agent.kill9();
    await agent.restart();
  });
  eachAppliedUnderItsOwnNumber(t, stream, answers);
  const again = await eachInTheKernelOnce(t, kernel, transactions, agentKills * stream.width);
  await stream.settled(agent);
  t.log(`${transactions} transactions, ${agentKills} kills, ${again} routes undone and made again`);
  await startsWithoutBroker(t, agent, stream, server, /NATS at .* cannot be reached/);
});

test.serial(
  "what can never be applied is refused, one message after the other, and the good ones between them are applied",
  async (t) => {
    t.timeout(patience);
    const bus = await plainBus(t);
    const letters = bus.collect("event.deadletter");
    const wrong: string[] = [];
    const sender = async (first: number): Promise<void> => {
      for (let index = first; index < many.poison; index += 16) {
        const { id, outcome } = (await bus.send("config.commit", poison(index))).json<Result>();
        if (outcome !== "REJECTED") wrong.push(`${index}: ${outcome} ${id}`);
        if (index % 50 !== 0) continue;
        const good = await bus.commit(change(`good${index / 50}`, 1_400));
        if (good.outcome !== "APPLIED") wrong.push(`good ${index}: ${good.error}`);
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, first) => sender(first)));
    t.deepEqual(wrong, []);
    t.is((await links()).filter(({ ifname }) => /^good\d+$/.test(ifname)).length, Math.ceil(many.poison / 50));

    const bucket = await bus.connection.jetstream().views.kv("tenuto-config");
    const put = (name: string, value: Uint8Array | string): Promise<number> =>
      bucket.put(`${LABEL}.${INTERFACE}${name}`, value);
    for (let index = 0; index < many.poison; index += 1) {
      await put(`p${index}`, poison(index));
      if (index % 50 !== 0) continue;
      const name = `kept${index / 50}`;
      await put(name, JSON.stringify(end(name, `${name}-p`).value));
    }
    await bucket.delete(`${LABEL}.${INTERFACE}never-there`);
    await bucket.delete(`${LABEL}.no/such/kind`);
    const kept = Math.ceil(many.poison / 50);
    await eventually(async () => (await client.get(`${INTERFACE}kept`)).length === kept, { timeout: patience });
    await eventually(() => new Set(letters.map((letter) => letter.json<{ key: string }>().key)).size >= many.poison, {
      what: "the dead letters",
      timeout: patience,
    });
    await healthy(agent);
  },
);

test.serial(
  "a transaction that comes again is not applied again, also after a later one; one may have 900 KB",
  async (t) => {
    const bus = await plainBus(t);
    const [old, later, big] = [randomUUID(), randomUUID(), randomUUID()];
    const twice = [1, 2, 3].map(() => bus.commit(change("twice", 1_401), { id: old }));
    const answers = await Promise.all(twice);
    t.is(new Set(answers.map(({ seq }) => seq)).size, 1);
    await bus.commit(change("twice", 1_402), { id: later });
    t.deepEqual(await bus.commit(change("twice", 1_401), { id: old }), answers[0]);
    t.is(await mtuOf("twice"), 1_402);
    const { changes, ...more } = large(big, change("twice", 1_403));
    t.is((await bus.commit(changes, more)).outcome, "APPLIED");
    t.is(await mtuOf("twice"), 1_403);
  },
);

test.serial("an agent that is killed undoes what was not confirmed, and keeps what was", async (t) => {
  t.timeout(patience);
  const confirmable = (id: string, name: string): Promise<Result> =>
    client.commit({ id, confirm_timeout: "1h", changes: change(name, 1_400) });
  const [kept, lost] = [randomUUID(), randomUUID()];
  t.is((await confirmable(kept, "kept")).outcome, "UNCONFIRMED");
  t.is((await client.confirm(kept)).outcome, "APPLIED");
  t.is((await confirmable(lost, "lost")).outcome, "UNCONFIRMED");
  t.deepEqual([await mtuOf("kept"), await mtuOf("lost")], [1_400, 1_400]);
  await agent.kill9();
  await agent.restart();
  t.is((await confirmable(lost, "lost")).outcome, "REVERTED", "the same id gets the stored answer");
  await eventually(async () => (await mtuOf("lost")) === undefined, { what: "what was not confirmed to go" });
  t.is(await mtuOf("kept"), 1_400);
  t.deepEqual(await client.get(`${INTERFACE}lost`), []);
});

test.serial("a transaction in many parts is one", async (t) => {
  t.timeout(patience);
  await routesInParts(t, many.routes, commit);
});
