/** Another program on the bus, as others would write it: kafkajs and the contract's names. */
import test, { type ExecutionContext } from "ava";
import kafkajs, {
  type Admin,
  type GroupDescription,
  Kafka,
  type KafkaMessage,
  logLevel,
  Partitioners,
  type Producer,
} from "kafkajs";
import { type Broker, hasSharedKafka, type KafkaOptions, sharedKafka, startKafka } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { kafkaProgram } from "#test/support/programs.js";

/** Declares a test that needs a broker of its own, one at a time; skipped where none can be started. */
export const withOwnKafka = kafkaProgram() === undefined ? test.serial.skip : test.serial;
/** Declares a test that needs any Kafka; skipped where there is none. */
export const withKafka = hasSharedKafka || kafkaProgram() !== undefined ? test : test.skip;

export type Received = Pick<KafkaMessage, "key" | "value" | "headers" | "offset">;

export interface TopicView {
  /** Every message since the topic's beginning that was received so far, in order. */
  readonly messages: readonly Received[];
}

export interface ResultView {
  readonly id: string;
  readonly outcome: string;
  readonly error: string;
  readonly values: readonly { readonly key: string; readonly state: string; readonly error: string }[];
  readonly truncated?: boolean;
}

export class KafkaBus {
  readonly kafka: Kafka;
  private readonly producer: Producer;
  private readonly views = new Map<string, Promise<TopicView>>();
  private readonly closing: (() => Promise<void>)[] = [];

  private constructor(brokers: string) {
    this.kafka = new Kafka({
      brokers: brokers.split(","),
      clientId: "test",
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, retries: 30, maxRetryTime: 500 },
    });
    this.producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  }

  /** Waits for a broker that is about to start: a client of this library that came too early may never find it. */
  static async connect(brokers: string): Promise<KafkaBus> {
    await eventually(() => answers(brokers), { what: `Kafka at ${brokers}`, timeout: 180_000 });
    const bus = new KafkaBus(brokers);
    await bus.producer.connect();
    return bus;
  }

  async close(): Promise<void> {
    await this.producer.disconnect();
    await Promise.all(this.closing.map((close) => close()));
  }

  /** Tries again while the broker is away, so that a message may come twice. */
  async send(topic: string, messages: readonly Message[]): Promise<void> {
    const record = { topic, messages: messages.map((message) => ({ ...message })) };
    await eventually(async () => (await this.producer.send(record)).length > 0, { timeout: 60_000 });
  }

  /** Sends a transaction as JSON. */
  async command(label: string, transaction: object, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.send(`tenuto.${label}.commands`, [{ key: label, value: JSON.stringify(transaction), headers }]);
  }

  /** Writes desired values, and tombstones. */
  async want(label: string, values: readonly { readonly key: string; readonly value?: object }[]): Promise<void> {
    const messages = values.map(({ key, value }) => ({
      key,
      value: value === undefined ? null : JSON.stringify(value),
    }));
    await this.send(`tenuto.${label}.config`, messages);
  }

  /** Reads a topic from its beginning on. */
  view(topic: string): Promise<TopicView> {
    const known = this.views.get(topic) ?? this.read(topic);
    this.views.set(topic, known);
    return known;
  }

  /** The result of a transaction on a topic, once it is there. */
  async result(
    id: string,
    topic = "tenuto.results",
  ): Promise<{ readonly message: Received; readonly result: ResultView }> {
    const view = await this.view(topic);
    const message = await eventually(() => view.messages.findLast(({ key }) => key?.toString() === id), {
      what: `the result of ${id} on ${topic}`,
      timeout: 120_000,
    });
    return { message, result: json(message) as ResultView };
  }

  async createTopic(topic: string, configuration: Readonly<Record<string, string>> = {}): Promise<void> {
    const configEntries = Object.entries(configuration).map(([name, value]) => ({ name, value }));
    await this.administer(async (admin) => {
      await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }], waitForLeaders: false });
      await eventually(() => admin.fetchTopicMetadata({ topics: [topic] }));
    });
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    await this.administer((admin) => admin.deleteTopics({ topics: [...topics] }));
  }

  /** Deletes topics that have records, and waits until each has been made anew: by an agent, or by `make`. */
  async remakeTopics(topics: readonly string[], make?: (topic: string) => Promise<void>): Promise<void> {
    const ends = await Promise.all(topics.map(async (topic) => Number(await this.endOf(topic))));
    await this.deleteTopics(topics);
    for (const [index, topic] of topics.entries()) {
      // An agent may make it first.
      if (make !== undefined)
        await eventually(() => make(topic).then(() => true), { what: `${topic} to be made anew` });
      // The broker may have the old one still, and would take records into that.
      const isAnother = async (): Promise<boolean> => Number(await this.endOf(topic)) < ends[index]!;
      await eventually(isAnother, { what: `${topic} to be another one` });
    }
  }

  /** Offset of the next message in a topic of one partition. */
  async endOf(topic: string): Promise<string | undefined> {
    const [partition] = await this.administer((admin) => admin.fetchTopicOffsets(topic));
    return partition?.high;
  }

  /** Deletes the records of a topic's first partition that are before this offset. */
  async deleteRecords(topic: string, offset: string): Promise<void> {
    await this.administer(async (admin) => {
      // kafkajs deletes only from topics that it knows.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
    });
  }

  async configure(topic: string, configuration: Readonly<Record<string, string>>): Promise<void> {
    const configEntries = Object.entries(configuration).map(([name, value]) => ({ name, value }));
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries };
    await this.administer((admin) => admin.alterConfigs({ validateOnly: false, resources: [resource] }));
  }

  /** Keys of all records that a topic has now. */
  async keysOf(topic: string): Promise<readonly (string | undefined)[]> {
    const end = Number(await this.endOf(topic));
    const { messages, close } = await this.consume(topic);
    await eventually(() => Number(messages.at(-1)?.offset ?? -1) >= end - 1, { what: `${topic} to be read` });
    await close();
    return messages.map(({ key }) => key?.toString());
  }

  /** A consumer group as its coordinator sees it. */
  async group(id: string): Promise<GroupDescription> {
    const { groups } = await this.administer((admin) => admin.describeGroups([id]));
    const [group] = groups;
    if (group === undefined) throw new Error(`there is no group ${id}`);
    return group;
  }

  /** What becomes of a topic's old messages: `compact` or `delete`. */
  async policyOf(topic: string): Promise<string | undefined> {
    const configNames = ["cleanup.policy"];
    const { resources } = await this.administer((admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames }],
      }),
    );
    return resources[0]?.configEntries[0]?.configValue;
  }

  private async administer<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.kafka.admin();
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }

  private async read(topic: string): Promise<TopicView> {
    const { messages, close } = await this.consume(topic);
    this.closing.push(close);
    return { messages };
  }

  private async consume(topic: string): Promise<TopicView & { readonly close: () => Promise<void> }> {
    const consumer = this.kafka.consumer({
      groupId: `test-${topic}-${Math.random().toString(36).slice(2)}`,
      maxWaitTimeInMs: 100,
      retry: { initialRetryTime: 50, retries: 30, maxRetryTime: 500 },
    });
    const messages: Received[] = [];
    await consumer.connect();
    // The topic may be about to be created.
    await eventually(() => consumer.subscribe({ topic, fromBeginning: true }).then(() => true), { timeout: 60_000 });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ message }) => void messages.push(message),
    });
    return { messages, close: () => consumer.disconnect() };
  }
}

async function answers(brokers: string): Promise<boolean> {
  const retry = { retries: 0 };
  const admin = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING, retry }).admin();
  try {
    await admin.connect();
    await admin.listTopics();
    return true;
  } finally {
    await admin.disconnect();
  }
}

interface Message {
  readonly key: string | null;
  readonly value: string | Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A Kafka of the caller's own. */
export async function broker(t: ExecutionContext, options?: KafkaOptions): Promise<Broker> {
  const server = await startKafka(options);
  t.teardown(() => server.stop());
  return server;
}

/** The Kafka of this run of the tests, or one for this file when the file is run by itself. */
export function anyKafka(): {
  readonly bus: () => Promise<KafkaBus>;
  /** Somebody who comes now. */
  readonly another: () => Promise<KafkaBus>;
  readonly brokers: () => Promise<string>;
} {
  let own: Promise<Broker> | undefined;
  let connected: Promise<KafkaBus> | undefined;
  const others: KafkaBus[] = [];
  const brokers = async (): Promise<string> => {
    const shared = await sharedKafka();
    if (shared !== undefined) return shared;
    own ??= startKafka();
    return (await own).url;
  };
  test.after.always(async () => {
    await (await connected)?.close();
    for (const other of others) await other.close();
    await (await own)?.stop();
  });
  return {
    brokers,
    another: async () => {
      const other = await KafkaBus.connect(await brokers());
      others.push(other);
      return other;
    },
    bus: () => {
      connected ??= brokers().then((list) => KafkaBus.connect(list));
      return connected;
    },
  };
}

export function json(message: Received | undefined): unknown {
  return JSON.parse(message?.value?.toString() ?? "null");
}

export function header(message: Received | undefined, name: string): string | undefined {
  return message?.headers?.[name]?.toString();
}
