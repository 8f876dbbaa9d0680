import { once } from "node:events";
import { createConnection } from "node:net";
import test from "ava";
import { Kafka, type KafkaConfig, logLevel } from "kafkajs";
import { connect, StringCodec } from "nats";
import {
  hasSharedKafka,
  hasSharedNats,
  sharedKafka,
  sharedNats,
  startKafka,
  startNats,
} from "#test/support/brokers.js";
import { kafkaProgram } from "#test/support/programs.js";

const text = StringCodec();

/** Publishes to itself and returns what came. */
async function roundTrip(servers: string): Promise<string> {
  const connection = await connect({ servers });
  const subject = `roundtrip.${process.pid}`;
  const subscription = connection.subscribe(subject, { max: 1 });
  connection.publish(subject, text.encode("held"));
  for await (const message of subscription) {
    await connection.drain();
    return text.decode(message.data);
  }
  throw new Error("the subscription ended without a message");
}

test("a test's own nats-server accepts clients and has JetStream", async (t) => {
  const server = await startNats();
  t.teardown(() => server.stop());
  t.is(await roundTrip(server.url), "held");

  const connection = await connect({ servers: server.url });
  const bucket = await (await connection.jetstream().views.kv("config")).create("key", "value");
  t.is(bucket, 1);
  await connection.close();
});

test("it keeps port and data over a crash, and leaves nothing when stopped", async (t) => {
  const server = await startNats();
  const before = await connect({ servers: server.url });
  await (await before.jetstream().views.kv("config")).put("key", "value");
  await before.close();

  await server.kill();
  t.false(server.running);
  await t.throwsAsync(connect({ servers: server.url, reconnect: false }), { code: "CONNECTION_REFUSED" });

  await server.restart();
  const after = await connect({ servers: server.url });
  const entry = await (await after.jetstream().views.kv("config")).get("key");
  t.is(entry?.string(), "value");
  await after.close();

  await server.stop();
  await server.stop();
  t.false(server.running);
});

test("it takes more configuration, and a start that fails says why", async (t) => {
  const server = await startNats({ configuration: "authorization { token: secret }" });
  t.teardown(() => server.stop());
  await t.throwsAsync(connect({ servers: server.url }), { code: "AUTHORIZATION_VIOLATION" });
  await (await connect({ servers: server.url, token: "secret" })).close();

  await t.throwsAsync(startNats({ configuration: "no_such_option: {" }), { message: /nats-server.*ended too early/s });
});

test("two servers of one process do not meet", async (t) => {
  const [one, two] = await Promise.all([startNats(), startNats({ jetstream: false })]);
  t.teardown(async () => Promise.all([one.stop(), two.stop()]));
  t.not(one.url, two.url);
  t.deepEqual(await Promise.all([roundTrip(one.url), roundTrip(two.url)]), ["held", "held"]);
});

const withNats = hasSharedNats ? test.serial : test.serial.skip;

withNats("the NATS that all tests share is reached from the sandbox", async (t) => {
  t.is(await roundTrip((await sharedNats()) ?? ""), "held");
});

const withKafka = hasSharedKafka ? test.serial : test.serial.skip;

function quiet(list: string): Kafka {
  const options: KafkaConfig = { clientId: "sandbox", brokers: list.split(","), logLevel: logLevel.NOTHING };
  return new Kafka(options);
}

/** Makes a topic, produces one record and consumes it. */
async function produceAndConsume(list: string, topic: string): Promise<string | undefined> {
  const kafka = quiet(list);
  const producer = kafka.producer();
  const consumer = kafka.consumer({ groupId: `${topic}-group` });
  const admin = kafka.admin();
  try {
    await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
    await admin.createTopics({ topics: [{ topic }], waitForLeaders: true });
    await producer.send({ topic, messages: [{ key: "k", value: "held" }] });
    await consumer.subscribe({ topic, fromBeginning: true });
    return await new Promise<string | undefined>((resolve, reject) => {
      consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) }).catch(reject);
    });
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
  }
}

withKafka("the Kafka that all tests share is reached from the sandbox", async (t) => {
  t.timeout(90_000);
  t.is(await produceAndConsume((await sharedKafka()) ?? "", `sandbox-${process.pid}-${Date.now()}`), "held");
});

const withOwnKafka = kafkaProgram() === undefined ? test.serial.skip : test.serial;

withOwnKafka("a test's own Kafka keeps port and data over a crash", async (t) => {
  t.timeout(90_000);
  const server = await startKafka();
  t.teardown(() => server.stop());
  t.is(await produceAndConsume(server.url, "held"), "held");
  await server.kill();
  await server.restart();
  const admin = quiet(server.url).admin();
  await admin.connect();
  t.true((await admin.listTopics()).includes("held"));
  await admin.disconnect();
});

test("a port that nobody serves is refused: the sandbox has no way to the host's services", async (t) => {
  const socket = createConnection({ host: "127.0.0.1", port: 22 });
  const [error] = (await once(socket, "error").catch((refused) => [refused])) as [NodeJS.ErrnoException];
  t.is(error.code, "ECONNREFUSED");
});
