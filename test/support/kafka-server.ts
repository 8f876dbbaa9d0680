import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Broker, runBroker } from "./broker.js";
import { Child } from "./child.js";
import { freePorts } from "./ports.js";
import { kafkaProgram, missing, type Say } from "./programs.js";
import { projectRoot } from "./project.js";

export interface KafkaOptions {
  /** Port on 127.0.0.1; a free one when left out. */
  readonly port?: number;
  /** More lines of `server.properties`, by name. They win over the defaults. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Other listeners that clients may come by, by name, with their addresses: `[::1]:9092`. */
  readonly listeners?: Readonly<Record<string, string>>;
  /** Instead of the archived classes. */
  readonly java?: readonly string[];
  /** Users that SCRAM knows from the start: `SCRAM-SHA-256=[name=me,password=secret]`. */
  readonly scram?: readonly string[];
}

/** For a short life on a small machine: little memory, no second compiler. */
const JVM = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"];

/** Of another Java or other jars it is passed over. Reading classes is half of what a start takes. */
const archived = (file: string): readonly string[] => (existsSync(file) ? [`-XX:SharedArchiveFile=${file}`] : []);

/** A broker's data, in its directory. */
const DATA = "data";

/** Any 16 bytes in base64url. */
const CLUSTER_ID = "VGVudXRvLXRlc3QtMDAwMQ";

/** Starts a single-node Kafka (KRaft) and returns when it serves clients (a few seconds). */
export async function startKafka(options: KafkaOptions = {}): Promise<Broker> {
  const [free, controller] = await freePorts(2);
  const node = { id: 1, broker: `127.0.0.1:${options.port ?? free}`, controller: `127.0.0.1:${controller}` };
  return await startNode(node, [node], options);
}

/** Brokers that are one Kafka, each of which may be broken by itself. */
export interface KafkaCluster {
  /** Addresses of all, separated by commas. */
  readonly url: string;
  /** The broker that Kafka calls by this number, from 1. */
  node(id: number): Broker;
  stop(): Promise<void>;
}

/** Every topic on all brokers; a message is taken when two have it. */
const REPLICATED = {
  "default.replication.factor": "3",
  "offsets.topic.replication.factor": "3",
  "min.insync.replicas": "2",
  // Three on a small machine: one that is only slow is not taken for dead so fast.
  "broker.session.timeout.ms": "3000",
};

/** Starts three brokers, each a controller as well. */
export async function startKafkaCluster(properties: Readonly<Record<string, string>> = {}): Promise<KafkaCluster> {
  const ports = await freePorts(6);
  const address = (index: number): string => `127.0.0.1:${ports[index]}`;
  const nodes = [0, 1, 2].map((index) => ({ id: index + 1, broker: address(index), controller: address(index + 3) }));
  const starting = nodes.map((node) => startNode(node, nodes, { properties: { ...REPLICATED, ...properties } }));
  const started = await Promise.allSettled(starting);
  const brokers = started.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const stop = async (): Promise<void> => {
    // A broker goes in an orderly way only while most of them are there.
    await Promise.all(brokers.map((broker) => broker.kill()));
    await Promise.all(brokers.map((broker) => broker.stop()));
  };
  for (const start of started) {
    if (start.status === "fulfilled") continue;
    await stop();
    throw start.reason;
  }
  return {
    url: nodes.map(({ broker }) => broker).join(","),
    node(id) {
      const broker = brokers[id - 1];
      if (broker === undefined) throw new RangeError(`there is no broker ${id}`);
      return broker;
    },
    stop,
  };
}

interface Node {
  readonly id: number;
  /** Address for clients. */
  readonly broker: string;
  readonly controller: string;
}

/** Makes the archive of a broker's classes where there is none: by a broker that starts and ends. An older Java cannot, and goes without. */
export async function archiveKafkaClasses(say: Say): Promise<void> {
  const program = kafkaProgram();
  if (program === undefined || existsSync(program.classArchive)) return;
  say("kafka: a broker's classes are put where brokers find them quickly");
  // Made beside its place and then moved: an interrupted one must not look complete.
  const partial = `${program.classArchive}.${process.pid}`;
  try {
    const options = { java: ["-XX:+IgnoreUnrecognizedVMOptions", `-XX:ArchiveClassesAtExit=${partial}`] };
    const broker = await startKafka(options);
    await broker.stop();
    if (existsSync(partial)) await rename(partial, program.classArchive);
  } finally {
    await rm(partial, { force: true });
  }
}

function startNode(node: Node, all: readonly Node[], options: KafkaOptions): Promise<Broker> {
  const { java, classPath, classArchive } = kafkaProgram() ?? missing("Apache Kafka");
  const own = options.java ?? archived(classArchive);
  const file = "server.properties";
  const users = (options.scram ?? []).flatMap((user) => ["--add-scram", user]);
  const logging = `-Dlog4j.configuration=file:${join(projectRoot, "test/support/kafka/log4j.properties")}`;
  const run = (directory: string, ...command: readonly string[]): Promise<Child> =>
    Child.start([java, ...JVM, ...own, logging, "-cp", classPath, ...command], { cwd: directory });

  return runBroker({
    url: node.broker,
    async prepare(directory) {
      await writeFile(join(directory, file), properties(node, all, options));
      if (users.length === 0) return await format(join(directory, DATA), node);
      const tool = await run(directory, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", file, ...users);
      const { code } = await tool.exited;
      if (code !== 0) throw tool.failure("could not format the storage");
    },
    start: (directory) => run(directory, "kafka.Kafka", file),
    ready: /Kafka Server started/,
    startTimeout: 180_000,
  });
}

/**
 * What `kafka.tools.StorageTool format` leaves, without the second that its JVM takes. (Without bootstrap.checkpoint a broker begins with the
 * features of its own version, as that file would say.)
 */
async function format(directory: string, { id }: Node): Promise<void> {
  await mkdir(directory);
  await writeFile(join(directory, "meta.properties"), `version=1\ncluster.id=${CLUSTER_ID}\nnode.id=${id}\n`);
}

function properties({ id, broker, controller }: Node, nodes: readonly Node[], options: KafkaOptions): string {
  const more = Object.entries(options.listeners ?? {}).map(([name, listen]) => `,${name}://${listen}`);
  const all: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": String(id),
    "controller.quorum.voters": nodes.map((voter) => `${voter.id}@${voter.controller}`).join(),
    listeners: `BROKER://${broker},CONTROLLER://${controller}${more.join("")}`,
    "advertised.listeners": `BROKER://${broker}${more.join("")}`,
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": DATA,
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
