import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import kafkajs from "kafkajs";
import { type Broker, startKafka } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { freePort } from "#test/support/ports.js";
import { kafkaProgram } from "#test/support/programs.js";
import { type BusAgent, busAgent, dummy, healthy } from "./support/agent.js";
import { withOwnKafka } from "./support/bus.js";

const PATIENCE = 180_000;

let server: Broker;
let directory: string;
/** The broker's second address, which asks for a certificate only. */
let onIpv6: string;

const file = (name: string): string => join(directory, name);

/** A broker that asks for a client certificate, and for a password (as it is or by SCRAM) or a token. */
async function strictKafka(): Promise<Broker> {
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const subject = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1,IP:::1"];
  await promisify(execFile)("openssl", [...request, ...subject, "-keyout", "key.pem", "-out", "cert.pem"], {
    cwd: directory,
  });
  await writeFile(
    file("both.pem"),
    (await readFile(file("key.pem"), "utf8")) + (await readFile(file("cert.pem"), "utf8")),
  );
  onIpv6 = `[::1]:${await freePort()}`;
  const modules = "org.apache.kafka.common.security";
  return await startKafka({
    properties: {
      "listener.security.protocol.map": "BROKER:SASL_SSL,SIX:SSL,CONTROLLER:PLAINTEXT",
      "ssl.keystore.type": "PEM",
      "ssl.keystore.location": file("both.pem"),
      "ssl.truststore.type": "PEM",
      "ssl.truststore.location": file("cert.pem"),
      "ssl.client.auth": "required",
      // With SASL it is not asked for unless a listener says so itself.
      "listener.name.broker.ssl.client.auth": "required",
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      // The controller's own listener knows nobody by name.
      "super.users": "User:admin;User:agent;User:CN=test;User:ANONYMOUS",
      "sasl.enabled.mechanisms": "PLAIN,OAUTHBEARER,SCRAM-SHA-256,SCRAM-SHA-512",
      "sasl.mechanism.inter.broker.protocol": "PLAIN",
      "listener.name.broker.plain.sasl.jaas.config": `${modules}.plain.PlainLoginModule required username="admin" password="right" user_admin="right" user_agent="p ss" user_guest="guest" user_orchestrator="o" user_subscriber="s" user_operator="p";`,
      "listener.name.broker.oauthbearer.sasl.jaas.config": `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";`,
      "listener.name.broker.scram-sha-256.sasl.jaas.config": `${modules}.scram.ScramLoginModule required;`,
      "listener.name.broker.scram-sha-512.sasl.jaas.config": `${modules}.scram.ScramLoginModule required;`,
    },
    listeners: { SIX: onIpv6 },
    scram: ["SCRAM-SHA-256=[name=agent,password=s256]", "SCRAM-SHA-512=[name=agent,password=s512]"],
  });
}

test.before(async (t) => {
  t.timeout(PATIENCE);
  if (kafkaProgram() === undefined) return;
  directory = await mkdtemp(join(tmpdir(), "tenuto-kafka-"));
  server = await strictKafka();
});

test.after.always(async () => {
  await server?.stop();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

function tls(): object {
  return { ca_file: file("cert.pem"), cert_file: file("cert.pem"), key_file: file("key.pem") };
}

/** A way to the broker that counts who goes through it. */
async function countingDoor(
  t: ExecutionContext,
  broker: string,
): Promise<{ readonly address: string; readonly visits: () => number }> {
  const port = Number(broker.split(":").at(-1));
  let visits = 0;
  const door = createServer((client) => {
    visits += 1;
    pipeline(client, connect(port, "127.0.0.1"), client, () => undefined);
  });
  await once(door.listen(0, "127.0.0.1"), "listening");
  t.teardown(() => void door.close());
  return { address: `127.0.0.1:${(door.address() as AddressInfo).port}`, visits: () => visits };
}

/** A token that names an agent and is signed by nobody, which the broker takes in its simplest configuration. */
function token(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1_000);
  return `${part({ alg: "none" })}.${part({ sub: "agent", iat: now, exp: now + 3_600 })}.`;
}

async function complains(agent: BusAgent, pattern: RegExp): Promise<void> {
  await eventually(() => {
    const { reason } = agent.health();
    if (!pattern.test(reason)) throw new Error(reason);
    return true;
  });
}

withOwnKafka("mutual TLS with a password, by every mechanism, or with a token lets the agent in", async (t) => {
  t.timeout(PATIENCE);
  await writeFile(file("token"), `${token()}\n`);
  await writeFile(file("password"), "s512\n");
  const ways = [
    { mechanism: "plain", username: "agent", password: "p ss" },
    { mechanism: "scram-sha-256", username: "agent", password: "s256" },
    { mechanism: "scram-sha-512", username: "agent", password_file: file("password") },
    { mechanism: "oauthbearer", token_file: file("token") },
  ];
  await Promise.all(
    ways.map(async (sasl) => {
      const agent = await busAgent(t, { kafka: { brokers: server.url, tls: tls(), sasl } });
      await healthy(agent);
      await agent.close();
    }),
  );
  const wrong = { mechanism: "scram-sha-512", username: "agent", password: "s256" };
  const refused = await busAgent(t, { kafka: { brokers: server.url, tls: tls(), sasl: wrong } });
  await complains(refused, /refuses the credentials \(scram-sha-512\)/);
  const stale = { mechanism: "oauthbearer", token: "not.a.token" };
  const refusedToken = await busAgent(t, { kafka: { brokers: server.url, tls: tls(), sasl: stale } });
  await complains(refusedToken, /refuses the credentials \(oauthbearer\)/);
  const nameless = await busAgent(t, {
    kafka: { brokers: server.url, tls: { ca_file: file("cert.pem") }, sasl: ways[0] },
  });
  await complains(nameless, /certificate/);
  t.pass();
});

/** Kind of resource, operation, and name: with a `*` behind it the beginning of names. */
type Right = readonly ["TOPIC" | "GROUP", "READ" | "WRITE" | "DESCRIBE", string];

/** What the documentation says that an agent has to be allowed, when others create the topics. */
const RIGHTS: readonly Right[] = [
  ["TOPIC", "READ", "tenuto.<label>.config"],
  ["TOPIC", "WRITE", "tenuto.<label>.config"],
  ["TOPIC", "READ", "tenuto.<label>.commands"],
  ["GROUP", "READ", "tenuto.<label>.commands"],
  ["GROUP", "READ", "tenuto.<label>.config.*"],
  ["TOPIC", "WRITE", "tenuto.results"],
  ["TOPIC", "WRITE", "tenuto.state.interface"],
  ["TOPIC", "WRITE", "tenuto.events"],
  ["TOPIC", "WRITE", "tenuto.deadletter"],
];

/** What it says of the others. */
const ORCHESTRATOR: readonly Right[] = [
  ["TOPIC", "WRITE", "tenuto.<label>.config"],
  ["TOPIC", "WRITE", "tenuto.<label>.commands"],
  ["TOPIC", "READ", "tenuto.results"],
  ["GROUP", "READ", "orchestrator"],
];
const SUBSCRIBER: readonly Right[] = [
  ["TOPIC", "READ", "tenuto.state.interface"],
  ["TOPIC", "READ", "tenuto.events"],
  ["GROUP", "READ", "subscriber"],
];
const OPERATOR: readonly Right[] = [
  ["TOPIC", "WRITE", "tenuto.<label>.commands"],
  ["TOPIC", "READ", "tenuto.results"],
  ["TOPIC", "READ", "tenuto.deadletter"],
  ["GROUP", "READ", "operator"],
];

/** Somebody with a password. */
async function clientOf(username: string, password: string): Promise<kafkajs.Kafka> {
  const [cert, key] = await Promise.all([readFile(file("cert.pem"), "utf8"), readFile(file("key.pem"), "utf8")]);
  return new kafkajs.Kafka({
    brokers: [server.url],
    ssl: { ca: cert, cert, key },
    sasl: { mechanism: "plain", username, password },
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 1 },
  });
}

/** Creates the topics of an agent and gives a user these rights to them. */
async function grant(label: string, rights: readonly Right[], user = "guest"): Promise<void> {
  const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
  const admin = (await clientOf("admin", "right")).admin();
  await admin.connect();
  const nameOf = (name: string): string => name.replace("<label>", label);
  const topics = RIGHTS.flatMap((one) => {
    const [kind, , name] = one;
    const value = /config$|state/.test(name) ? "compact" : "delete";
    const isFirst = RIGHTS.findIndex((right) => right[2] === name) === RIGHTS.indexOf(one);
    return kind === "TOPIC" && isFirst
      ? [{ topic: nameOf(name), configEntries: [{ name: "cleanup.policy", value }] }]
      : [];
  });
  await admin.createTopics({ topics, waitForLeaders: false });
  if (rights.length === 0) return await admin.disconnect();
  await admin.createAcls({
    acl: rights.map(([kind, operation, name]) => ({
      resourceType: AclResourceTypes[kind],
      resourceName: nameOf(name).replace("*", ""),
      resourcePatternType: name.endsWith("*") ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal: `User:${user}`,
      host: "*",
      operation: AclOperationTypes[operation],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  });
  await admin.disconnect();
}

withOwnKafka("an agent needs a few rights and no more; the lack of one is named in health", async (t) => {
  t.timeout(PATIENCE);
  const guest = (label: string): Promise<BusAgent> => {
    const sasl = { mechanism: "plain", username: "guest", password: "guest" };
    return busAgent(t, { label, kafka: { brokers: server.url, tls: tls(), sasl, create_topics: false } });
  };
  await grant("least", RIGHTS);
  await healthy(await guest("least"));
  const lacks = (what: string): readonly Right[] =>
    RIGHTS.filter(([kind, , name]) => kind !== what && !name.endsWith(what));
  await grant("barred", lacks("commands"));
  await complains(await guest("barred"), /does not allow it: Not authorized to access topics/);
  await grant("apart", lacks("GROUP"));
  await complains(await guest("apart"), /no coordinator for the agent's consumer groups: .* not for this user/);
  t.pass();
});

/** The next message of a topic for somebody in a group of this name. */
async function read(client: kafkajs.Kafka, groupId: string, topic: string): Promise<void> {
  const consumer = client.consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    void consumer.run({ autoCommit: false, eachMessage: async () => resolve() });
  });
  await consumer.disconnect();
}

async function write(client: kafkajs.Kafka, topic: string, key: string, value: string): Promise<void> {
  const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    await producer.send({ topic, messages: [{ key, value }] });
  } finally {
    await producer.disconnect();
  }
}

withOwnKafka("agent, orchestrator, subscriber and operator can do their work, and reach no other label", async (t) => {
  t.timeout(PATIENCE);
  await grant("other", []);
  await grant("roles", RIGHTS);
  await grant("roles", ORCHESTRATOR, "orchestrator");
  await grant("roles", SUBSCRIBER, "subscriber");
  await grant("roles", OPERATOR, "operator");
  const sasl = { mechanism: "plain", username: "guest", password: "guest" };
  const agent = await busAgent(t, {
    label: "roles",
    kafka: { brokers: server.url, tls: tls(), sasl, create_topics: false },
  });
  await healthy(agent);
  const orchestrator = await clientOf("orchestrator", "o");
  const { key, value } = dummy("desired");
  await write(orchestrator, "tenuto.roles.config", key, JSON.stringify(value));
  await write(orchestrator, "tenuto.roles.commands", "", JSON.stringify({ id: "r", changes: [dummy("asked")] }));
  await read(orchestrator, "orchestrator", "tenuto.results");
  await eventually(() => agent.desired().join() === "asked,desired");
  const operator = await clientOf("operator", "p");
  await write(operator, "tenuto.roles.commands", "", "{");
  await read(operator, "operator", "tenuto.deadletter");
  const subscriber = await clientOf("subscriber", "s");
  await read(subscriber, "subscriber", "tenuto.events");
  const everybody = { agent: await clientOf("guest", "guest"), orchestrator, operator, subscriber };
  for (const [role, client] of Object.entries(everybody)) {
    const admin = client.admin();
    await admin.connect();
    for (const topic of ["tenuto.other.config", "tenuto.other.commands"]) {
      await t.throwsAsync(write(client, topic, key, "{}"), { message: /authorized/i }, `${role} writes to ${topic}`);
      // Without the right to describe it there is none to read it.
      await t.throwsAsync(admin.fetchTopicOffsets(topic), { message: /authorized/i }, `${role} reads ${topic}`);
    }
    const group = admin.fetchOffsets({ groupId: "tenuto.other.commands" });
    await t.throwsAsync(group, { message: /authorized|coordinator/i }, `${role} sees a group`);
    await admin.disconnect();
  }
});

withOwnKafka("an agent that may not write dead letters answers all the same, and says so", async (t) => {
  t.timeout(PATIENCE);
  const silent = RIGHTS.filter(([, , name]) => name !== "tenuto.deadletter");
  await grant("silent", [...silent, ["TOPIC", "DESCRIBE", "tenuto.deadletter"]], "subscriber");
  const sasl = { mechanism: "plain", username: "subscriber", password: "s" };
  const agent = await busAgent(t, {
    label: "silent",
    kafka: { brokers: server.url, tls: tls(), sasl, create_topics: false },
  });
  await healthy(agent);
  const admin = await clientOf("admin", "right");
  await write(admin, "tenuto.silent.commands", "", "{");
  await write(admin, "tenuto.silent.commands", "", JSON.stringify({ id: "s", changes: [dummy("behind")] }));
  await eventually(() => agent.desired().join() === "behind");
  await complains(agent, /dead letters are not written: .*does not allow it/);
  t.pass();
});

withOwnKafka("a broker may be named by its IPv6 address, and be known to the cluster by it", async (t) => {
  t.timeout(PATIENCE);
  const agent = await busAgent(t, { kafka: { brokers: onIpv6, tls: tls() } });
  await healthy(agent);
  t.pass();
});

withOwnKafka(
  "wrong credentials are named in health, without the password, and not tried in a tight loop",
  async (t) => {
    t.timeout(PATIENCE);
    const sasl = { mechanism: "plain", username: "agent", password: "wr0ng" };
    const door = await countingDoor(t, server.url);
    const since = performance.now();
    const agent = await busAgent(t, { kafka: { brokers: door.address, tls: tls(), sasl, reconnect_min: "400ms" } });
    await eventually(() => /refuses the credentials \(plain\)/.test(agent.health().reason), { what: "the refusal" });
    t.false(agent.health().reason.includes("wr0ng"));
    // Three parts of the plugin try on their own: the third try of each comes after two pauses of at least half their length.
    await eventually(() => door.visits() >= 9, { timeout: 60_000, what: "nine attempts" });
    t.true(performance.now() - since > 400);
  },
);

withOwnKafka("a certificate that nobody vouches for, and a broker that wants TLS, are named in health", async (t) => {
  t.timeout(PATIENCE);
  const sasl = { mechanism: "plain", username: "agent", password: "p ss" };
  const untrusting = await busAgent(t, { kafka: { brokers: server.url, tls: { enabled: true }, sasl } });
  await eventually(() => /certificate|self-signed/i.test(untrusting.health().reason));
  const plain = await busAgent(t, { kafka: { brokers: server.url, sasl } });
  await eventually(() => plain.health().reason.includes("TLS or SASL may be missing"));
  t.pass();
});

withOwnKafka("a certificate that is not there is named, and found when it comes", async (t) => {
  t.timeout(PATIENCE);
  const sasl = { mechanism: "plain", username: "agent", password: "p ss" };
  const late = { ...tls(), ca_file: file("late.pem") };
  const agent = await busAgent(t, { kafka: { brokers: server.url, tls: late, sasl } });
  await eventually(() => agent.health().reason.includes("cannot read kafka.tls.ca_file"));
  await writeFile(file("late.pem"), await readFile(file("cert.pem")));
  await healthy(agent);
  t.pass();
});

test("without brokers the agent runs and says what to set; an address that is none is refused", async (t) => {
  const agent = await busAgent(t, { kafka: {} });
  t.regex(agent.health().reason, /kafka\.brokers/);
  for (const brokers of ["http://127.0.0.1:9092", "::1", "[::1", "[bus]:9092", "bus:99999"]) {
    await t.throwsAsync(busAgent(t, { kafka: { brokers } }), { message: /host:port/ }, brokers);
  }
  await t.throwsAsync(busAgent(t, { kafka: { topics: { results: "not a topic" } } }), { message: /topic name/ });
});
