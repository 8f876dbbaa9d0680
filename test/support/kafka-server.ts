import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Broker, runBroker } from "./broker.js";
import { Child } from "./child.js";
import { freePorts } from "./ports.js";
import { kafkaProgram, missing } from "./programs.js";
import { projectRoot } from "./project.js";

export interface KafkaOptions {
  /** Port on 127.0.0.1; a free one when left out. */
  readonly port?: number;
  /** More lines of `server.properties`, by name. They win over the defaults. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Other listeners that clients may come by, by name, with their addresses: `[::1]:9092`. */
  readonly listeners?: Readonly<Record<string, string>>;
  /** Users that SCRAM knows from the start: `SCRAM-SHA-256=[name=me,password=secret]`. */
  readonly scram?: readonly string[];
}

/** For a short life on a small machine: little memory, no second compiler. */
const JVM = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"];

/** Any 16 bytes in base64url. */
const CLUSTER_ID = "VGVudXRvLXRlc3QtMDAwMQ";

/** Starts a single-node Kafka (KRaft) and returns when it serves clients (a few seconds). */
export async function startKafka(options: KafkaOptions = {}): Promise<Broker> {
  const { java, classPath } = kafkaProgram() ?? missing("Apache Kafka");
  const [free, controller] = await freePorts(2);
  const address = `127.0.0.1:${options.port ?? free}`;
  const file = "server.properties";
  const users = (options.scram ?? []).flatMap((user) => ["--add-scram", user]);
  const logging = `-Dlog4j.configuration=file:${join(projectRoot, "test/support/kafka/log4j.properties")}`;
  const run = (directory: string, ...command: readonly string[]): Promise<Child> =>
    Child.start([java, ...JVM, logging, "-cp", classPath, ...command], { cwd: directory });

  return runBroker({
    url: address,
    async prepare(directory) {
      await writeFile(join(directory, file), properties(address, `127.0.0.1:${controller}`, options));
      const tool = await run(directory, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", file, ...users);
      const { code } = await tool.exited;
      if (code !== 0) throw tool.failure("could not format the storage");
    },
    start: (directory) => run(directory, "kafka.Kafka", file),
    ready: /Kafka Server started/,
    startTimeout: 60_000,
  });
}

function properties(broker: string, controller: string, options: KafkaOptions): string {
  const more = Object.entries(options.listeners ?? {}).map(([name, listen]) => `,${name}://${listen}`);
  const all: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@${controller}`,
    listeners: `BROKER://${broker},CONTROLLER://${controller}${more.join("")}`,
    "advertised.listeners": `BROKER://${broker}${more.join("")}`,
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": "data",
    "num.partitions": "1",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    // A new consumer of a test must not wait for others to join its group.
    "group.initial.rebalance.delay.ms": "0",
    // After a crash the controller lets a broker back in once its session is over.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    ...options.properties,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
