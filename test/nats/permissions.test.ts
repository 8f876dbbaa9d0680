/** The permissions of docs/security.md, as they stand there, for two labels: each role can do its work, and none reaches another label. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { AckPolicy, connect, DeliverPolicy, ErrorCode, type NatsConnection, NatsError } from "nats";
import { Changes, connectNats, type NatsClient } from "#client/index.js";
import { Northbound } from "#core/northbound/index.js";
import { interfaceModel } from "#proto/models.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { projectRoot } from "#test/support/project.js";
import { type BusAgent, busAgent, dummy, vethKey } from "./support/agent.js";

const [OURS, THEIRS] = ["host1", "host2"] as const;
const ROLES = ["orchestrator", "subscriber", "operator"] as const;
const ADMIN = "admin";

let server: Broker;
let agents: readonly BusAgent[];

async function configuration(): Promise<string> {
  const text = await readFile(join(projectRoot, "docs/security.md"), "utf8");
  const [, block = ""] = /```nats\n([\s\S]*?)```/.exec(text) ?? [];
  const users = block.slice(block.indexOf("users = [") + "users = [".length, block.lastIndexOf("]"));
  const agentOf = (label: string): string =>
    users.slice(0, users.indexOf("{ user: orchestrator")).replaceAll(OURS, label);
  return `authorization { users = [ { user: ${ADMIN}, password: x } ${users} ${agentOf(THEIRS)} ] }`.replaceAll(
    /\$[A-Z]+_PASSWORD/g,
    "x",
  );
}

function addressOf(user: string): string {
  return server.url.replace("//", `//${user}:x@`);
}

async function client(t: ExecutionContext, role: string): Promise<NatsClient> {
  const connection = { inboxPrefix: `_INBOX.${role}` };
  const made = await connectNats({
    servers: addressOf(role),
    label: OURS,
    timeout: 60_000,
    patience: 60_000,
    connection,
  });
  t.teardown(() => made.close());
  return made;
}

async function plain(user: string, inboxPrefix: string): Promise<NatsConnection> {
  return await connect({ servers: server.url, user, pass: "x", inboxPrefix });
}

test.before(async () => {
  server = await startNats({ configuration: await configuration() });
  const admin = await plain(ADMIN, "_INBOX.admin");
  for (const bucket of ["tenuto-config", "tenuto-state"]) await admin.jetstream().views.kv(bucket, { history: 1 });
  await admin.close();
});

test.after.always(() => server.stop());

test.serial("the agents of two labels do their work", async (t) => {
  const made = [OURS, THEIRS].map((label) =>
    busAgent(t, { label, nats: { url: addressOf(`agent-${label}`), inbox_prefix: `_INBOX.${label}` } }),
  );
  agents = await Promise.all(made);
  for (const agent of agents) {
    await eventually(() => {
      if (agent.health().state !== "ok") throw new Error(agent.health().reason);
      return true;
    });
  }
  const orchestrator = await client(t, "orchestrator");
  const change = new Changes().set(interfaceModel, { name: "asked", type: "DUMMY" });
  t.is((await orchestrator.commit(change.transaction())).outcome, "APPLIED");
  await orchestrator.desired.put(vethKey("put"), dummy("put").value);
  await orchestrator.desired.markComplete();
  t.deepEqual(await orchestrator.desired.entries(), [dummy("put")]);
  const names = (index: number): string =>
    agents[index]!.agent.get(Northbound)
      .get()
      .map(({ key }) => key.split("/").at(-1))
      .join();
  await eventually(() => names(0) === "asked,put");
  await orchestrator.desired.delete(vethKey("put"));
  await eventually(() => names(0) === "asked");
  t.is(names(1), "");

  for (const [index, agent] of agents.entries()) agent.tell(`eth${index}`, "UP");
  const subscriber = await client(t, "subscriber");
  for await (const { subject } of subscriber.watch("interfaces")) {
    t.is(subject, "eth0");
    break;
  }
  const operator = await client(t, "operator");
  t.is((await operator.get())[0]?.key, vethKey("asked"));
  t.deepEqual(
    (await operator.discover()).map(({ label }) => label),
    [OURS, THEIRS],
  );

  const admin = await plain(ADMIN, "_INBOX.admin");
  const kv = await admin.jetstream().views.kv("tenuto-config");
  await eventually(async () => (await kv.get(`${OURS}.tenuto/epoch`)) !== null, { what: "the agent's record" });

  // The right to make a consumer is one to have values delivered anywhere; what arrives so is not carried out.
  const captured = await plain(`agent-${OURS}`, `_INBOX.${OURS}`);
  await kv.put(`${OURS}.x`, JSON.stringify({ changes: [dummy("planted")] }));
  const { consumers } = await captured.jetstreamManager({ checkAPI: false });
  await consumers.add("KV_tenuto-config", {
    name: "planted",
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.LastPerSubject,
    deliver_subject: `tenuto.${THEIRS}.config.commit`,
    deliver_group: "q",
    filter_subject: `$KV.tenuto-config.${OURS}.x`,
  });
  const watcher = await plain("operator", "_INBOX.operator");
  await eventually(async () => {
    for await (const { metadata, endpoints = [] } of await watcher.services.client().stats("tenuto")) {
      const data = endpoints.find(({ name }) => name === "commit")?.data as { refused_replies: number } | undefined;
      if (metadata?.label === THEIRS && (data?.refused_replies ?? 0) > 0) return true;
    }
    return false;
  });
  t.is(names(1), "");
  await watcher.close();
  await captured.close();
  await admin.close();
});

const STREAM_RIGHTS = ["PURGE", "DELETE", "UPDATE", "CREATE", "SNAPSHOT", "RESTORE", "MSG.GET", "MSG.DELETE"];
const NOT_TO_PUBLISH = [
  `tenuto.${THEIRS}.config.commit`,
  `tenuto.${THEIRS}.config.get`,
  `tenuto.${THEIRS}.ifmgr.plug`,
  `tenuto.${THEIRS}.owner`,
  `tenuto.${THEIRS}.event.health`,
  `tenuto.${THEIRS}.state.interface.eth0`,
  `$KV.tenuto-config.${THEIRS}.x`,
  `$KV.tenuto-config.${THEIRS}.tenuto/complete`,
  `$KV.tenuto-state.${THEIRS}.interface.eth0`,
  `$JS.API.DIRECT.GET.KV_tenuto-config.$KV.tenuto-config.${THEIRS}.x`,
  `$JS.API.DIRECT.GET.KV_tenuto-state.$KV.tenuto-state.${THEIRS}.interface.eth1`,
  `$JS.API.CONSUMER.CREATE.KV_tenuto-config.x.$KV.tenuto-config.${THEIRS}.>`,
  "$JS.API.CONSUMER.CREATE.KV_tenuto-config.x.$KV.tenuto-config.>",
  `$JS.API.CONSUMER.CREATE.KV_tenuto-state.x.$KV.tenuto-state.${THEIRS}.>`,
  "$JS.API.CONSUMER.CREATE.KV_tenuto-config",
  "$JS.API.CONSUMER.CREATE.KV_tenuto-state",
  "$JS.API.CONSUMER.DURABLE.CREATE.KV_tenuto-config.x",
  "$JS.API.DIRECT.GET.KV_tenuto-config",
  ...["KV_tenuto-config", "KV_tenuto-state"].flatMap((stream) =>
    STREAM_RIGHTS.map((right) => `$JS.API.STREAM.${right}.${stream}`),
  ),
];
const NOT_TO_HEAR = [`tenuto.${THEIRS}.>`, "tenuto.>", "$KV.>", "$JS.API.>", "_INBOX.>", `_INBOX.${THEIRS}.>`, ">"];

async function mayPublish(connection: NatsConnection, subject: string): Promise<boolean> {
  try {
    await connection.request(subject, "", { timeout: 30_000 });
    return true;
  } catch (error) {
    return !(error instanceof NatsError && error.code === ErrorCode.PermissionsViolation);
  }
}

async function mayHear(connection: NatsConnection, subject: string): Promise<boolean> {
  const refused = new Promise<boolean>((resolve) => {
    connection.subscribe(subject, { callback: (error) => error !== null && resolve(false) });
  });
  // The server says no before it answers what came later.
  return await Promise.race([
    refused,
    connection
      .flush()
      .then(() => connection.flush())
      .then(() => true),
  ]);
}

test.serial("no role reaches another label, a bucket as a whole, or what others are answered", async (t) => {
  for (const user of [`agent-${OURS}`, ...ROLES]) {
    const inbox = user.startsWith("agent") ? `_INBOX.${OURS}` : `_INBOX.${user}`;
    const connection = await plain(user, inbox);
    t.teardown(() => connection.close());
    const reached = await Promise.all(
      NOT_TO_PUBLISH.map(async (subject) => ((await mayPublish(connection, subject)) ? [subject] : [])),
    );
    t.deepEqual(reached.flat(), [], user);
    for (const subject of NOT_TO_HEAR) t.false(await mayHear(connection, subject), `${user} hears ${subject}`);
  }
});
