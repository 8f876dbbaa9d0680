import { randomUUID } from "node:crypto";
import { Kafka, logLevel, type Producer } from "kafkajs";
import type { Change } from "#client/index.js";
import { transactionMessages } from "#client/parts.js";
import { startKafka } from "#test/support/brokers.js";
import { kafkaProgram } from "#test/support/programs.js";
import { type Benchmark, type Outcome, type Run, sized, time } from "./benchmark.js";
import { measuredAgent } from "./measured-agent.js";
import { startNetlink } from "./netlink-client.js";
import { nextToFloor } from "./next-to-floor.js";
import * as routes from "./routes.js";

const label = "bench";
const messageBytes = 900_000;

export const kafkaRoutes: Benchmark = {
  name: "kafka-routes",
  method:
    "100,000 routes as one transaction in parts, sent without waiting for one another, on the Kafka command topic of an agent of the flavor kafka (store, results, history and events " +
    "on), from the first byte sent to the result received from the result topic. One broker on this machine. Compared with the " +
    "floor: the same kernel messages encoded and sent from Node, 128 to a system call. In turns, the first turn is not counted.",
  repeats: 3,

  async run(run): Promise<Outcome> {
    if (kafkaProgram() === undefined)
      throw new Error("there is no Kafka on this machine: npm test -- --setup gets one");
    const broker = await startKafka();
    const agent = await measuredAgent(run, { label, flavor: "kafka", args: ["--kafka", broker.url] });
    const bus = await KafkaCommands.connect(broker.url);
    try {
      return await measure(run, bus);
    } finally {
      await bus.close();
      await agent.stop();
      await broker.stop();
    }
  },
};

async function measure(run: Run, bus: KafkaCommands): Promise<Outcome> {
  const networks = routes.destinations(sized(run, 100_000));
  await bus.commit(routes.uplinkChanges());
  const netlink = await startNetlink();
  const link = await netlink.default.linkByName(routes.uplink.name);
  const outcome = await nextToFloor(run, {
    name: "over Kafka",
    networks,
    linkIndex: link?.index ?? 0,
    async add() {
      const elapsed = await bus.commit(networks.map((network) => routes.routeChange(network)));
      await routes.expectRoutes(netlink.default, networks.length);
      return elapsed;
    },
    async remove() {
      await bus.commit(networks.map(routes.routeRemoval));
    },
  });
  await netlink.close();
  return outcome;
}

/** Whoever configures an agent over Kafka. */
export class KafkaCommands {
  private constructor(
    private readonly producer: Producer,
    private readonly results: Map<string, (outcome: string) => void>,
    readonly close: () => Promise<void>,
  ) {}

  static async connect(brokers: string): Promise<KafkaCommands> {
    const kafka = new Kafka({ brokers: [brokers], clientId: "bench", logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    const consumer = kafka.consumer({ groupId: "bench", maxWaitTimeInMs: 20 });
    const results = new Map<string, (outcome: string) => void>();
    await producer.connect();
    await consumer.connect();
    await consumer.subscribe({ topic: "tenuto.results", fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        const { outcome } = JSON.parse(message.value?.toString() ?? "{}") as { readonly outcome?: string };
        results.get(message.key?.toString() ?? "")?.(outcome ?? "");
      },
    });
    return new KafkaCommands(producer, results, async () => {
      await consumer.disconnect();
      await producer.disconnect();
    });
  }

  /** Milliseconds from the first byte to the result. Throws unless everything was applied. */
  async commit(changes: readonly Change[]): Promise<number> {
    const id = randomUUID();
    const parts = transactionMessages({ id, changes }, messageBytes);
    const result = new Promise<string>((resolve) => this.results.set(id, resolve));
    const elapsed = await time(async () => {
      const sent = parts.map((part, index) => {
        const headers = parts.length === 1 ? {} : { "tenuto-part": `${index + 1}/${parts.length}` };
        const message = { key: label, value: Buffer.from(part), headers };
        return this.producer.send({ topic: `tenuto.${label}.commands`, messages: [message] });
      });
      await Promise.all([...sent, result]);
    });
    this.results.delete(id);
    const outcome = await result;
    if (outcome !== "APPLIED") throw new Error(`a transaction over Kafka was ${outcome}`);
    return elapsed;
  }
}
