/**
 * A Kafka of three brokers whose coordinators die and whose leaders move in the middle of a stream of transactions.
 * `npm run test:long` does the same with larger numbers.
 */
import test from "ava";
import type { Admin, PartitionMetadata } from "kafkajs";
import { KafkaBus, withOwnKafka } from "#test/kafka/support/bus.js";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type KafkaCluster, startKafkaCluster } from "#test/support/brokers.js";
import { counts } from "#test/support/counts.js";
import { eventually } from "#test/support/eventually.js";
import { kafkaProgram } from "#test/support/programs.js";
import { eachAppliedUnderItsOwnNumber, eachInTheKernelOnce, healthy } from "./support/claims.js";
import { KafkaAnswers } from "./support/kafka-answers.js";
import { INTERFACE } from "./support/pair.js";
import { end, Stream } from "./support/stream.js";

const LABEL = "clustered";
const COMMANDS = `tenuto.${LABEL}.commands`;
const CONFIG = `tenuto.${LABEL}.config`;
/** Its only partition is led by the coordinator of every group. */
const OFFSETS = "__consumer_offsets";
const EVERY_BROKER = 3;

const { transactions, brokerRestarts, patience } = counts({
  transactions: 120,
  brokerRestarts: 2,
  agentKills: 0,
  poison: 0,
  routes: 0,
});

let cluster: KafkaCluster;
let agent: AgentProcess;
let bus: KafkaBus;
let admin: Admin;

test.before(async (t) => {
  t.timeout(patience);
  if (kafkaProgram() === undefined) return;
  cluster = await startKafkaCluster();
  const configuration = { kafka: { rebalance_timeout: "1s", reconnect_min: "50ms", reconnect_max: "500ms" } };
  const args = ["--kafka", cluster.url];
  agent = await agentProcess({ label: LABEL, flavor: "kafka", args, configuration, until: "alive" });
  await healthy(agent);
  bus = await KafkaBus.connect(cluster.url);
  admin = bus.kafka.admin();
  await admin.connect();
});

test.after.always(async () => {
  await admin?.disconnect();
  await bus?.close();
  await agent?.stop();
  await cluster?.stop();
});

/** The only partition of a topic, as it has to be: anything else throws. */
async function partition(topic: string, fits: (state: PartitionMetadata) => boolean): Promise<PartitionMetadata> {
  return await eventually(
    async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const [state] = topics[0]?.partitions ?? [];
      if (state === undefined || !fits(state)) throw new Error(JSON.stringify(state));
      return state;
    },
    { what: `${topic} to be led and copied as expected`, timeout: patience },
  );
}

function isWhole({ isr }: PartitionMetadata): boolean {
  return isr.length === EVERY_BROKER;
}

async function killCoordinator(): Promise<void> {
  for (const topic of [OFFSETS, COMMANDS, "tenuto.results"]) await partition(topic, isWhole);
  const { leader } = await partition(OFFSETS, isWhole);
  await cluster.node(leader).kill();
  await partition(OFFSETS, (state) => state.leader !== leader);
  await cluster.node(leader).restart();
}

/** Away from its leader to the two others; the leader becomes a copy again afterwards. */
async function moveLeader(topic: string): Promise<void> {
  const { leader, replicas } = await partition(topic, isWhole);
  const others = replicas.filter((id) => id !== leader);
  const assign = async (to: readonly number[]): Promise<boolean> => {
    const partitionAssignment = [{ partition: 0, replicas: [...to] }];
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
    return true;
  };
  await eventually(() => assign(others), { timeout: patience });
  await partition(topic, (state) => state.leader !== leader && state.replicas.length === others.length);
  await eventually(() => assign([...others, leader]), { timeout: patience });
  await partition(topic, isWhole);
}

withOwnKafka(
  "coordinators that die and leaders that move lose no transaction and no value, and none is applied twice",
  async (t) => {
    t.timeout(patience);
    const answers = new KafkaAnswers(await bus.view("tenuto.results"));
    const stream = new Stream("mesh", 22, transactions);
    const kernel = await stream.watchKernel();
    let strikes = 0;
    const results = await stream.run(
      async (transaction) => {
        await bus.command(LABEL, transaction);
        return await answers.to(transaction.id, patience);
      },
      brokerRestarts,
      async () => {
        strikes += 1;
        const striking = strikes % 2 === 1 ? killCoordinator() : moveLeader(strikes % 4 === 2 ? COMMANDS : CONFIG);
        const value = end(`kept${strikes}`, `kept${strikes}-p`);
        await bus.send(CONFIG, [{ key: value.key, value: JSON.stringify(value.value) }]);
        await striking;
      },
    );
    eachAppliedUnderItsOwnNumber(t, stream, results);
    await eachInTheKernelOnce(t, kernel, transactions);
    await stream.settled(agent);
    await eventually(async () => {
      const { stdout } = await agent.tenuto(["get", `${INTERFACE}kept`, "-o", "json"]);
      return (JSON.parse(stdout) as readonly unknown[]).length === strikes;
    });
    await healthy(agent);
    t.log(`${transactions} transactions, ${strikes} coordinators killed or leaders moved`);
  },
);
