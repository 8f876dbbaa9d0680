/**
 * Kafka under bad conditions: broker and agent are processes that die in the middle of a stream of transactions, and the
 * kernel is looked at with iproute2. `npm run test:long` does the same with larger numbers.
 */
import { randomUUID } from "node:crypto";
import test from "ava";
import { transactionMessages } from "#client/parts.js";
import { header, KafkaBus, withOwnKafka } from "#test/kafka/support/bus.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type Broker, startKafka } from "#test/support/brokers.js";
import { counts } from "#test/support/counts.js";
import { eventually } from "#test/support/eventually.js";
import { kafkaProgram } from "#test/support/programs.js";
import type { Result } from "./support/bus.js";
import { eachAppliedUnderItsOwnNumber, eachInTheKernelOnce, healthy, startsWithoutBroker } from "./support/claims.js";
import { change, large, mtuOf, poison, routesInParts } from "./support/hostile.js";
import { KafkaAnswers } from "./support/kafka-answers.js";
import { INTERFACE } from "./support/pair.js";
import { end, Stream, type Transaction } from "./support/stream.js";

const LABEL = "endures";
const COMMANDS = `tenuto.${LABEL}.commands`;
const CONFIG = `tenuto.${LABEL}.config`;
const { transactions, brokerRestarts, agentKills, patience, ...many } = counts({
  transactions: 120,
  brokerRestarts: 1,
  agentKills: 2,
  poison: 100,
  routes: 4_000,
});

/** An agent that starts again waits for the group of the one before, and the broker for that. */
const kills = Math.min(agentKills, 50);

let server: Broker;
let agent: AgentProcess;
let bus: KafkaBus;
let answers: KafkaAnswers;

test.before(async (t) => {
  t.timeout(patience);
  if (kafkaProgram() === undefined) return;
  // A consumer that hangs must not be waited for as long as a real broker insists on.
  server = await startKafka({ properties: { "group.min.session.timeout.ms": "500" } });
  const quick = { session_timeout: "3s", rebalance_timeout: "1s", heartbeat_interval: "200ms", fetch_wait: "200ms" };
  const configuration = { kafka: { ...quick, reconnect_min: "50ms", reconnect_max: "500ms" } };
  const args = ["--kafka", server.url];
  agent = await agentProcess({ label: LABEL, flavor: "kafka", args, configuration, until: "alive" });
  await healthy(agent);
  bus = await KafkaBus.connect(server.url);
  answers = new KafkaAnswers(await bus.view("tenuto.results"));
});

test.after.always(async () => {
  await bus?.close();
  await agent?.stop();
  await server?.stop();
});

async function desired(prefix: string): Promise<readonly unknown[]> {
  const { stdout } = await agent.tenuto(["get", prefix, "-o", "json"]);
  return JSON.parse(stdout) as readonly unknown[];
}

async function commit(transaction: Transaction): Promise<Result> {
  await bus.command(LABEL, transaction);
  return await answers.to(transaction.id, patience);
}

function isRejected({ outcome }: Result): boolean {
  return outcome === "REJECTED";
}

/** Results may come more than once: then they are all the same. */
function repeatedAlike(stream: Stream): readonly string[] {
  const ids = Array.from({ length: transactions }, (_, index) => stream.idOf(index));
  return ids.filter((id) => new Set(answers.all(id).map(({ seq, outcome }) => `${seq} ${outcome}`)).size !== 1);
}

withOwnKafka(
  "a broker that dies again and again loses no transaction of a stream, and none is applied twice",
  async (t) => {
    t.timeout(patience);
    const stream = new Stream("broker", 20, transactions);
    const kernel = await stream.watchKernel();
    const results = await stream.run(commit, brokerRestarts, async () => {
      await server.kill();
      await server.restart();
    });
    eachAppliedUnderItsOwnNumber(t, stream, results);
    t.deepEqual(repeatedAlike(stream), []);
    await eachInTheKernelOnce(t, kernel, transactions);
    await stream.settled(agent);
    t.log(`${transactions} transactions, ${brokerRestarts} restarts of the broker`);
  },
);

withOwnKafka("an agent that is killed again and again has applied all that it answered, and answers all", async (t) => {
  t.timeout(patience);
  const stream = new Stream("agent", 21, transactions);
  const kernel = await stream.watchKernel();
  const results = await stream.run(commit, kills, async () => {
    await agent.kill9();
    await agent.restart();
  });
  eachAppliedUnderItsOwnNumber(t, stream, results);
  t.deepEqual(repeatedAlike(stream), []);
  const again = await eachInTheKernelOnce(t, kernel, transactions, kills * stream.width);
  await stream.settled(agent);
  t.log(`${transactions} transactions, ${kills} kills, ${again} routes undone and made again`);
  await startsWithoutBroker(t, agent, stream, server, /Kafka at .* cannot be reached/);
});

withOwnKafka("an agent that hung until its group threw it out joins again and misses nothing", async (t) => {
  t.timeout(patience);
  const admin = bus.kafka.admin();
  await admin.connect();
  t.teardown(() => admin.disconnect());
  const members = async (): Promise<number> => {
    const { groups } = await admin.describeGroups([COMMANDS]);
    return groups[0]?.members.length ?? 0;
  };
  await eventually(async () => (await members()) === 1);
  process.kill(agent.pid, "SIGSTOP");
  await eventually(async () => (await members()) === 0, { what: "the group to throw the agent out" });
  const [first, second] = [randomUUID(), randomUUID()];
  await bus.command(LABEL, { id: first, changes: change("hung", 1_404) });
  process.kill(agent.pid, "SIGCONT");
  t.is((await answers.to(first, patience)).outcome, "APPLIED");
  await healthy(agent);
  t.is((await commit({ id: second, changes: change("hung", 1_405) })).outcome, "APPLIED");
  t.is(await mtuOf("hung"), 1_405);
});

withOwnKafka(
  "what can never be applied is a dead letter, one message after the other, and the good ones between them are applied",
  async (t) => {
    t.timeout(patience);
    const letters = await bus.view("tenuto.deadletter");
    const from = (topic: string): number =>
      new Set(
        letters.messages
          .filter((letter) => header(letter, "origin-topic") === topic)
          .filter((letter) => topic === COMMANDS || header(letter, "origin-key")?.startsWith(`${INTERFACE}p`))
          .map((letter) => header(letter, "origin-offset")),
      ).size;
    const good = Array.from({ length: Math.ceil(many.poison / 50) }, (_, index) => `good${index}`);
    for (const [index, name] of good.entries()) {
      const bad = Array.from({ length: 50 }, (_, number) => poison(index * 50 + number));
      const command = JSON.stringify({ id: `${name}-id`, changes: change(name, 1_400) });
      await bus.send(
        COMMANDS,
        [...bad, command].map((value) => ({ key: null, value })),
      );
      const kept = end(`kept${index}`, `kept${index}-p`);
      await bus.send(CONFIG, [
        ...bad.map((value, number) => ({ key: `${INTERFACE}p${index * 50 + number}`, value })),
        { key: `${INTERFACE}never-there`, value: null },
        { key: "no/such/kind", value: null },
        { key: kept.key, value: JSON.stringify(kept.value) },
      ]);
    }
    for (const name of good) t.is((await answers.to(`${name}-id`, patience)).outcome, "APPLIED");
    await eventually(async () => (await desired(`${INTERFACE}kept`)).length === good.length, { timeout: patience });
    const bad = good.length * 50;
    // What is a transaction at least is answered; what is none is a dead letter.
    const refused = (): number => from(COMMANDS) + answers.startingWith(COMMANDS).filter(isRejected).length;
    await eventually(
      () => {
        if (refused() === bad && from(CONFIG) >= bad) return true;
        throw new Error(`${refused()} commands and ${from(CONFIG)} values of ${bad}`);
      },
      { what: "the dead letters", timeout: patience },
    );
    await healthy(agent);
  },
);

withOwnKafka(
  "a transaction that comes again is not applied again, also after a later one; one may have 900 KB",
  async (t) => {
    const [old, later, big] = [randomUUID(), randomUUID(), randomUUID()];
    const once = { id: old, changes: change("twice", 1_401) };
    const commands = [once, once, once, { id: later, changes: change("twice", 1_402) }, once];
    await bus.send(
      COMMANDS,
      commands.map((command) => ({ key: null, value: JSON.stringify(command) })),
    );
    await eventually(() => answers.all(old).length === 4);
    t.is(new Set(answers.all(old).map(({ seq }) => seq)).size, 1);
    t.is(await mtuOf("twice"), 1_402);
    t.is((await commit(large(big, change("twice", 1_403)))).outcome, "APPLIED");
    t.is(await mtuOf("twice"), 1_403);
  },
);

withOwnKafka("a transaction in many parts is one", async (t) => {
  t.timeout(patience);
  await routesInParts(t, many.routes, async (transaction) => {
    const id = randomUUID();
    const parts = transactionMessages({ ...transaction, id }, 500_000);
    for (const [index, part] of parts.entries()) {
      const headers = parts.length === 1 ? {} : { "tenuto-part": `${index + 1}/${parts.length}` };
      await bus.send(COMMANDS, [{ key: null, value: Buffer.from(part), headers }]);
    }
    return await answers.to(id, patience);
  });
});
