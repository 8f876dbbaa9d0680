import test from "ava";
import { createInbox, headers, type Msg, type NatsConnection } from "nats";
import { AgentInfo } from "#core/agent/types.js";
import { CONTENT_TYPE, ModelRegistry } from "#core/model/types.js";
import { RequestGroup } from "#core/northbound/index.js";
import { plugin, provide } from "#core/plugin/index.js";
import type { KeyValueList, StatusList, TransactionResult } from "#proto/index.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { type BusAgent, bus, busAgent, dummy, PATIENT, REFUSED_MTU, veth, vethKey } from "./support/agent.js";

let server: Broker;

test.before(async () => {
  server = await startNats();
});

test.after.always(() => server.stop());

interface Asked {
  readonly agent: BusAgent;
  readonly connection: NatsConnection;
  /** A request without headers, as the `nats` command line sends it, and its answer. */
  readonly ask: (request: string, payload?: object | string) => Promise<Msg>;
  readonly commit: (changes: readonly object[], more?: object) => Promise<TransactionResult>;
}

async function asked(t: Parameters<typeof busAgent>[0], nats: object = {}): Promise<Asked> {
  const agent = await busAgent(t, { nats: { url: server.url, ...nats } });
  const connection = await bus(t, server.url);
  await eventually(() => agent.health().state === "ok", { what: "the agent on the bus" });
  const ask: Asked["ask"] = (request, payload = "") =>
    connection.request(
      `tenuto.${agent.label}.config.${request}`,
      typeof payload === "string" ? payload : JSON.stringify(payload),
      PATIENT,
    );
  return {
    agent,
    connection,
    ask,
    commit: async (changes, more = {}) => (await ask("commit", { changes, ...more })).json<TransactionResult>(),
  };
}

function states({ values }: TransactionResult): Readonly<Record<string, string>> {
  return Object.fromEntries(values.map(({ key, state }) => [key.split("/").at(-1)!, state]));
}

test("a transaction in JSON is applied, and the answer says what became of each value", async (t) => {
  const { ask } = await asked(t);
  const answer = await ask("commit", { id: "first", changes: [veth("veth1", "veth2"), dummy("dummy1")] });
  t.is(answer.headers?.get("Content-Type"), "application/json");
  const result = answer.json<TransactionResult>();
  t.is(result.id, "first");
  t.is(result.outcome, "APPLIED");
  t.deepEqual(states(result), { veth1: "PENDING", dummy1: "CONFIGURED" });
  t.deepEqual(result.values[0]?.details.length, 1);
});

test("a transaction in protobuf is answered in protobuf", async (t) => {
  const { agent, connection } = await asked(t);
  const registry = agent.agent.get(ModelRegistry);
  const { key, value } = dummy("dummy1", { mtu: 1400 });
  const transaction = { id: "binary", changes: [{ key, value }] };
  const head = headers();
  head.set("Content-Type", CONTENT_TYPE.protobuf);
  for (const options of [{ ...PATIENT, headers: head }, PATIENT]) {
    const payload = registry.encodeMessage("tenuto.v1.Transaction", transaction, "protobuf");
    const answer = await connection.request(`tenuto.${agent.label}.config.commit`, payload, options);
    t.is(answer.headers?.get("Content-Type"), CONTENT_TYPE.protobuf);
    const result = registry.decodeMessage<TransactionResult>(
      "tenuto.v1.TransactionResult",
      answer.data,
      CONTENT_TYPE.protobuf,
    );
    t.is(result.outcome, "APPLIED");
    t.deepEqual(states(result), { dummy1: "CONFIGURED" });
  }
});

test("what can never be applied is REJECTED with the reason, and the agent goes on", async (t) => {
  const { ask, commit } = await asked(t);
  const table: readonly (readonly [string, string | object, RegExp])[] = [
    ["not JSON", "{ no", /JSON/],
    ["not a transaction", { chnges: [] }, /chnges/],
    ["bytes that mean nothing", "\u0001\u0002\u0003", /./],
    ["an unknown key", { changes: [{ key: "config/nothing/here", value: {} }] }, /config\/nothing\/here/],
    ["a key that contradicts its value", { changes: [{ ...dummy("a"), key: vethKey("b") }] }, /named "a"/],
    ["the same key twice", { changes: [dummy("a"), dummy("a")] }, /twice/],
    ["neither value nor delete", { changes: [{ key: vethKey("a") }] }, /neither/],
    ["an unknown field", { changes: [{ key: vethKey("a"), value: { name: "a", mtuu: 1 } }] }, /mtuu/],
  ];
  for (const [what, payload, reason] of table) {
    const result = (await ask("commit", payload)).json<TransactionResult>();
    t.is(result.outcome, "REJECTED", what);
    t.regex(result.error, reason, what);
  }
  t.is((await commit([dummy("a")])).outcome, "APPLIED");
});

test("a rejected transaction that could not be decoded is told by its id", async (t) => {
  const { ask } = await asked(t);
  const result = (await ask("commit", { id: "mine", changes: "none" })).json<TransactionResult>();
  t.is(result.outcome, "REJECTED");
  t.is(result.id, "mine");
});

test("the same id again gets the stored answer", async (t) => {
  const { commit } = await asked(t);
  const once = await commit([dummy("a")], { id: "once" });
  const again = await commit([dummy("a")], { id: "once" });
  t.deepEqual(again, once);
});

test("every request of the contract is answered", async (t) => {
  const { ask, commit } = await asked(t);
  await commit([dummy("a", { mtu: 1400 }), veth("v1", "v2"), dummy("bad", { mtu: REFUSED_MTU })], { id: "setup" });

  const keys = async (request: string, payload?: object | string): Promise<readonly string[]> =>
    (await ask(request, payload)).json<KeyValueList>().values.map(({ key }) => key.split("/").at(-1)!);
  t.deepEqual((await keys("get")).toSorted(), ["a", "bad", "v1"]);
  t.deepEqual(await keys("get", { prefix: vethKey("a") }), ["a"]);
  t.deepEqual((await keys("dump")).toSorted(), ["a", "bad", "v1"]);
  t.true((await keys("dump", { view: "cached" })).includes("a"));
  t.deepEqual(await keys("status", { state: "pending" }), ["v1"]);
  t.deepEqual(await keys("status", { state: "FAILED" }), ["bad"]);
  const [status] = (await ask("status", { prefix: vethKey("a") })).json<StatusList>().values;
  t.is(status?.state, "CONFIGURED");

  t.regex((await ask("resync", { downstream: true })).json<TransactionResult>().outcome, /APPLIED|PARTIAL/);
  t.is((await ask("resync", { prune: true, dry_run: true })).json<TransactionResult>().outcome, "PLANNED");
  t.like((await ask("resync", { dry_run: true })).json(), { error: { code: "BAD_ARGUMENT", field: "dry_run" } });
  const { entries } = (await ask("history")).json<{ entries: { id: string; seq: number }[] }>();
  const setup = entries.find(({ id }) => id === "setup")!;
  t.deepEqual((await ask("history", { seq: setup.seq })).json<{ entries: object[] }>().entries.length, 1);

  const trial = await commit([dummy("b")], { id: "trial", confirm_timeout: "60s" });
  t.is(trial.outcome, "UNCONFIRMED");
  t.is((await ask("confirm", { id: "trial" })).json<TransactionResult>().outcome, "APPLIED");
  await commit([dummy("c")], { id: "trial2", confirm_timeout: "60s" });
  t.is((await ask("cancel", { id: "trial2" })).json<TransactionResult>().outcome, "REVERTED");
  t.deepEqual(await keys("get", { prefix: vethKey("c") }), []);
});

test("a request that makes no sense is answered as a service error", async (t) => {
  const { ask } = await asked(t);
  const answer = await ask("dump", { view: "sideways" });
  const { error } = answer.json<{ error: { code: string; message: string; field: string } }>();
  t.is(answer.headers?.get("Nats-Service-Error-Code"), "400");
  t.is(answer.headers?.get("Nats-Service-Error"), error.message);
  t.regex(error.message, /view/);
});

test("the requests are a NATS service, as `nats micro` asks for it: ping, info and stats", async (t) => {
  const { agent, connection, ask } = await asked(t);
  interface Answer {
    readonly type: string;
    readonly name: string;
    readonly id: string;
    readonly version: string;
    readonly metadata: Readonly<Record<string, string>>;
    readonly endpoints: readonly Readonly<Record<string, unknown>>[];
  }
  const found: Answer[] = [];
  const inbox = createInbox();
  connection.subscribe(inbox, { callback: (_error, message) => void found.push(message.json()) });
  connection.publish("$SRV.PING", "", { reply: inbox });
  const pong = await eventually(() => found.find(({ metadata }) => metadata.label === agent.label));
  const { version } = agent.agent.get(AgentInfo);
  const identity = { name: "tenuto", version, metadata: { label: agent.label, version, flavor: "nats-test" } };
  t.like(pong, { type: "io.nats.micro.v1.ping_response", ...identity });

  const about = async (verb: string): Promise<Answer> =>
    (await connection.request(`$SRV.${verb}.tenuto.${pong.id}`, "", PATIENT)).json<Answer>();
  const info = await about("INFO");
  t.like(info, { type: "io.nats.micro.v1.info_response", ...identity });
  const kinds = ["commit", "confirm", "cancel", "get", "dump", "resync", "status", "history"];
  t.like(
    info.endpoints,
    kinds.map((name) => ({ name, subject: `tenuto.${agent.label}.config.${name}`, queue_group: "q" })),
  );

  for (let time = 0; time < 3; time += 1) await ask("get");
  await ask("get", { prefix: 7 });
  const stats = await about("STATS");
  t.like(stats, { type: "io.nats.micro.v1.stats_response", ...identity });
  const requests = stats.endpoints.map(({ name, num_requests }) => [name, num_requests]);
  t.deepEqual(
    requests,
    kinds.map((name) => [name, name === "get" ? 4 : 0]),
  );
  const { data } = stats.endpoints.find(({ name }) => name === "get") ?? {};
  t.like(data, { in_work: 0, num_errors: 1 });
  t.true((data as { processing_time: number }).processing_time > 0);
});

test("parts of a transaction are answered PART, the last one with the result of the whole", async (t) => {
  const { agent, connection } = await asked(t);
  const send = async (position: string, changes: readonly object[]): Promise<TransactionResult> => {
    const head = headers();
    head.set("tenuto-part", position);
    const payload = JSON.stringify({ id: "large", atomic: true, changes });
    const answer = await connection.request(`tenuto.${agent.label}.config.commit`, payload, {
      ...PATIENT,
      headers: head,
    });
    return answer.json<TransactionResult>();
  };
  t.is((await send("2/3", [dummy("b")])).outcome, "PART");
  t.is((await send("1/3", [dummy("a")])).outcome, "PART");
  const result = await send("3/3", [dummy("c")]);
  t.is(result.outcome, "APPLIED");
  t.deepEqual(Object.keys(states(result)), ["a", "b", "c"]);
  t.is((await send("4/3", [dummy("d")])).outcome, "REJECTED");

  // Its sender lost the answer, and sends all of it again, or only what is answered.
  t.deepEqual(await send("3/3", [dummy("c")]), result);
  t.is((await send("1/3", [dummy("a")])).outcome, "PART");
  t.is((await send("2/3", [dummy("b")])).outcome, "PART");
  t.deepEqual(await send("3/3", [dummy("c")]), result);
});

test("parts that never complete become a dead letter", async (t) => {
  const { agent, connection } = await asked(t, { part_timeout: "50ms" });
  const letters = connection.subscribe(`tenuto.${agent.label}.event.deadletter`, { max: 1 });
  const head = headers();
  head.set("tenuto-part", "1/2");
  const payload = JSON.stringify({ id: "half", changes: [dummy("a")] });
  await connection.request(`tenuto.${agent.label}.config.commit`, payload, { ...PATIENT, headers: head });
  for await (const letter of letters) {
    t.like(letter.json(), { key: "half" });
    t.regex(letter.json<{ error: string }>().error, /1 of 2 parts/);
  }
});

test("a request that is being worked on when the agent closes is answered", async (t) => {
  let begun = false;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  @plugin({ name: "slow", provides: [provide(RequestGroup, (slow: SlowPlugin) => slow.requests)] })
  class SlowPlugin {
    readonly requests: RequestGroup = {
      name: "slow",
      requests: {
        ask: {
          message: "tenuto.ifmgr.InterfaceRequest",
          reply: "tenuto.ifmgr.InterfaceStatus",
          handle: async () => {
            begun = true;
            await released;
            return { name: "late" };
          },
        },
      },
    };
  }
  const agent = await busAgent(t, { nats: { url: server.url, drain_timeout: "30s" }, plugins: [SlowPlugin] });
  await eventually(() => agent.health().state === "ok", { what: "the agent on the bus" });
  const connection = await bus(t, server.url);
  const answer = connection.request(`tenuto.${agent.label}.slow.ask`, "{}", PATIENT);
  await eventually(() => begun);
  const closed = agent.close();
  release();
  t.like((await answer).json(), { name: "late" });
  await closed;
  await t.throwsAsync(connection.request(`tenuto.${agent.label}.slow.ask`, "{}"), { code: "503" });
});

test("an agent with too much in work says so at once", async (t) => {
  const { ask } = await asked(t, { max_pending_bytes: 100 });
  const answer = await ask("commit", { changes: Array.from({ length: 10 }, (_, index) => dummy(`d${index}`)) });
  t.is(answer.headers?.get("Nats-Service-Error-Code"), "503");
  t.is(answer.json<{ error: { code: string } }>().error.code, "BUSY");
});
