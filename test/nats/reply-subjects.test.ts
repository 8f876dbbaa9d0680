/** The reply subject is the requester's word, and the answer is published with the agent's rights. */
import test from "ava";
import { Northbound } from "#core/northbound/index.js";
import { configBucketKey } from "#proto/nats.js";
import { eventually } from "#test/support/eventually.js";
import { broker, bus, busAgent, dummy, PATIENT, vethKey } from "./support/agent.js";

const STREAM = "KV_tenuto-config";

test("what asks for an answer outside of inboxes gets none, is not carried out, and is counted", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { nats: { url: server.url } });
  await eventually(() => agent.health().state === "ok");
  const { label } = agent;
  const connection = await bus(t, server.url);
  const kv = await connection.jetstream().views.kv("tenuto-config");
  await kv.put(configBucketKey(label, vethKey("stays")), JSON.stringify(dummy("stays").value));
  await eventually(() => agent.agent.get(Northbound).get().length === 1);

  const key = configBucketKey(label, vethKey("planted"));
  const targets = [
    `$JS.API.STREAM.PURGE.${STREAM}`,
    `$JS.API.STREAM.DELETE.${STREAM}`,
    `$KV.tenuto-config.${key}`,
    `tenuto.${label}.config.resync`,
    "_INBOXES.x",
    "anything",
  ];
  const seen: string[] = [];
  connection.subscribe(">", {
    callback: (_error, { subject }) => {
      if (targets.includes(subject)) seen.push(subject);
    },
  });
  const commit = JSON.stringify({ changes: [dummy("never")] });
  for (const reply of targets) {
    for (const subject of ["$SRV.PING", "$SRV.INFO.tenuto", "$SRV.STATS", `tenuto.${label}.config.get`]) {
      connection.publish(subject, "", { reply });
    }
    connection.publish(`tenuto.${label}.config.commit`, commit, { reply });
  }
  // Of one connection's requests the last is answered when the others were looked at.
  const answer = await connection.request(`tenuto.${label}.config.get`, "", PATIENT);
  t.deepEqual(
    answer.json<{ values: { key: string }[] }>().values.map((value) => value.key),
    [vethKey("stays")],
  );
  const statistics: (object | undefined)[] = [];
  for await (const { endpoints = [] } of await connection.services.client().stats("tenuto")) {
    statistics.push(endpoints.find(({ name }) => name === "commit")?.data as object | undefined);
  }
  t.like(statistics[0], { refused_replies: targets.length });
  await connection.flush();
  t.deepEqual(seen, []);
  t.true((await (await connection.jetstreamManager()).streams.info(STREAM)).state.messages > 0);
});

test("an answer goes to inboxes that begin as configured, and to no other and not to the agent's own", async (t) => {
  const server = await broker(t);
  const nats = { url: server.url, reply_prefixes: ["_INBOX.operators", "replies."], inbox_prefix: "_INBOX.operators" };
  const connection = await bus(t, server.url);
  // Anybody may listen there unless he is kept from it: what the agent asks JetStream tells where it wants its answers.
  const inboxes: string[] = [];
  connection.subscribe("$JS.API.>", { callback: (_error, { reply = "" }) => inboxes.push(reply) });
  await connection.flush();
  const agent = await busAgent(t, { nats });
  await eventually(() => agent.health().state === "ok");
  const own = inboxes[0]!;
  t.regex(own, /^_INBOX\.operators\./);
  const answered: string[] = [];
  connection.subscribe(">", {
    callback: (_error, { subject }) => {
      if (/^(_INBOX|replies)/.test(subject) && !inboxes.slice(1).includes(subject)) answered.push(subject);
    },
  });
  for (const reply of [own, "_INBOX.operators.a", "replies.b", "_INBOX.operatorsx.c", "_INBOX.d", "replies"]) {
    connection.publish(`tenuto.${agent.label}.config.get`, "", { reply });
  }
  await eventually(() => answered.length >= 2);
  await connection.flush();
  t.deepEqual(answered, ["_INBOX.operators.a", "replies.b"]);
});
