/** Agents with one label on one bus: one serves it, all say so, and another takes over when that one goes. */
import { hostname } from "node:os";
import test from "ava";
import { Northbound } from "#core/northbound/index.js";
import { configBucketKey, ownerSubject } from "#proto/nats.js";
import { agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { type BusAgent, broker, bus, busAgent, dummy, PATIENT, vethKey } from "./support/agent.js";

const LABEL = "twin";

function desired({ agent }: BusAgent): string {
  const values = agent.get(Northbound).get();
  return values
    .map(({ key }) => key.split("/").at(-1)!)
    .toSorted()
    .join();
}

function says(agent: BusAgent, what: RegExp): Promise<boolean> {
  return eventually(() => {
    if (!what.test(agent.health().reason)) throw new Error(`${agent.health().state}: ${agent.health().reason}`);
    return true;
  });
}

test("of several agents with one label one serves requests and states, all say so, and the next takes over", async (t) => {
  const server = await broker(t);
  const nats = { url: server.url, owner_lease: "1s" };
  const first = await busAgent(t, { label: LABEL, nats });
  await eventually(() => first.health().state === "ok");
  const connection = await bus(t, server.url);
  const told: string[] = [];
  connection.subscribe(`tenuto.${LABEL}.>`, { callback: (_error, { subject }) => told.push(subject) });
  await connection.flush();

  const others = await Promise.all([busAgent(t, { label: LABEL, nats }), busAgent(t, { label: LABEL, nats })]);
  for (const other of others) {
    await says(other, new RegExp(`host ${hostname()} \\(process ${process.pid}, since .*serves no requests`));
  }
  await says(first, /has the same label twin: it waits/);
  await eventually(() => told.filter((subject) => subject.endsWith("event.health")).length >= 2, {
    what: "the health of those that wait, as events",
  });

  const commit = (name: string): Promise<unknown> =>
    connection.request(`tenuto.${LABEL}.config.commit`, JSON.stringify({ changes: [dummy(name)] }), PATIENT);
  const kv = await connection.jetstream().views.kv("tenuto-config");
  for (let index = 0; index < 20; index += 1) await commit(`asked${index}`);
  await kv.put(configBucketKey(LABEL, vethKey("kept")), JSON.stringify(dummy("kept").value));
  await eventually(() => desired(first).split(",").length === 21);
  t.deepEqual(others.map(desired), ["", ""], "those that wait change nothing on their hosts");
  for (const [index, agent] of [first, ...others].entries()) agent.tell(`eth${index}`, "UP");
  await eventually(() => told.some((subject) => subject.endsWith("interface.eth0")));
  await connection.flush();
  t.deepEqual(
    told.filter((subject) => subject.includes(".interface.eth")),
    [`tenuto.${LABEL}.state.interface.eth0`],
  );

  await first.close();
  const successor = await eventually(() => others.find((agent) => desired(agent) === "kept"));
  const waiting = others.filter((agent) => agent !== successor)[0]!;
  await commit("later");
  t.is(desired(successor), "kept,later");
  await says(waiting, /serves no requests/);
  t.is(desired(waiting), "");
  await waiting.close();
  await eventually(() => successor.health().state === "ok", { what: "nobody else any more" });
});

test("an owner that hangs is succeeded within its lease, also without JetStream, and yields later", async (t) => {
  const server = await broker(t, { jetstream: false });
  const configuration = { nats: { owner_lease: "1s" }, store: { enabled: false } };
  const args = ["--nats", server.url];
  const owner = await agentProcess({ label: LABEL, flavor: "nats", args, configuration, until: "alive" });
  t.teardown(() => owner.stop());
  const connection = await bus(t, server.url);
  const ask = (): Promise<unknown> => connection.request(`tenuto.${LABEL}.config.get`, "", { timeout: 1_000 });
  await eventually(ask);
  const next = await busAgent(t, { label: LABEL, nats: { url: server.url, owner_lease: "1s" } });
  await says(next, new RegExp(`process ${owner.pid}, since .*serves no requests`));

  process.kill(owner.pid, "SIGSTOP");
  await eventually(() => !/serves no requests/.test(next.health().reason), { what: "the next to take over" });
  process.kill(owner.pid, "SIGCONT");
  const healthOf = async (): Promise<string> => JSON.stringify((await owner.request("GET", "/readiness")).body);
  await eventually(async () => (await healthOf()).includes(`process ${process.pid},`), { what: "the former to yield" });
  await says(next, new RegExp(`process ${owner.pid}, since .*it waits`));
  for (let index = 0; index < 10; index += 1) await ask();

  await owner.kill9();
  await eventually(() => !/has the same label/.test(next.health().reason), { what: "the former to be forgotten" });
  t.pass();
});

test("what others say about the owner of a label, and makes no sense, changes nothing", async (t) => {
  const server = await broker(t);
  const agent = await busAgent(t, { label: LABEL, nats: { url: server.url, owner_lease: "1s" } });
  await eventually(() => agent.health().state === "ok");
  const connection = await bus(t, server.url);
  const seen: string[] = [];
  connection.subscribe("$KV.>", { callback: (_error, { subject }) => seen.push(subject) });
  const who = { instance: "x", host: "h", pid: 1, since: "2026-01-01T00:00:00Z", term: 0 };
  for (const text of [
    "",
    "null",
    "{",
    "[]",
    JSON.stringify({ ...who, intent: "rules" }),
    '{"intent":"owns","term":-1}',
  ]) {
    connection.publish(ownerSubject(LABEL), text, { reply: "$KV.tenuto-config.x" });
  }
  connection.publish(ownerSubject(LABEL), JSON.stringify({ ...who, intent: "asks" }), { reply: "$KV.tenuto-config.x" });
  const answer = await connection.request(`tenuto.${LABEL}.config.get`, "", PATIENT);
  t.deepEqual(answer.json(), { values: [] });
  t.false(seen.includes("$KV.tenuto-config.x"));
});
