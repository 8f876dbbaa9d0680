import test from "ava";
import { ModelRegistry } from "#core/model/types.js";
import type { HistoryEntry, TransactionResult } from "#core/northbound/index.js";
import { interfaceChange, KEY, localAgent, REFUSED_MTU } from "./local-agent.js";

test("a transaction is answered with its result", async (t) => {
  const { send } = await localAgent(t);
  const answer = await send("POST", "/v1/transactions", { id: "one", changes: [interfaceChange("eth7")] });
  t.is(answer.status, 200);
  t.regex(answer.headers["content-type"] ?? "", /^application\/json/);
  const { id, outcome, error, values } = answer.json<TransactionResult>();
  t.deepEqual({ id, outcome, error }, { id: "one", outcome: "APPLIED", error: "" });
  t.deepEqual(
    values.map(({ key, state }) => ({ key, state })),
    [{ key: `${KEY}eth7`, state: "CONFIGURED" }],
  );
});

test("what curl sends without being told a content type is understood", async (t) => {
  const { ask } = await localAgent(t);
  const answer = await ask("POST", "/v1/transactions", {
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: JSON.stringify({ changes: [interfaceChange("eth7")] }),
  });
  t.is(answer.json<TransactionResult>().outcome, "APPLIED");
});

test("the same transaction in protobuf gets its answer in protobuf", async (t) => {
  const { agent, ask } = await localAgent(t);
  const models = agent.get(ModelRegistry);
  const body = models.encodeMessage(
    "tenuto.v1.Transaction",
    { id: "p", changes: [interfaceChange("eth7")] },
    "protobuf",
  );
  const headers = { "content-type": "application/x-protobuf" };
  const { status, headers: got, bytes } = await ask("POST", "/v1/transactions", { headers, body });
  t.is(status, 200);
  t.is(got["content-type"], "application/x-protobuf");
  const result = models.decodeMessage<TransactionResult>(
    "tenuto.v1.TransactionResult",
    bytes,
    "application/x-protobuf",
  );
  t.is(result.outcome, "APPLIED");
  t.is(result.values[0]?.state, "CONFIGURED");
});

const REFUSED = [
  { what: "text that is not JSON", body: "{nonsense", says: /JSON/ },
  { what: "bytes that are not protobuf", body: new Uint8Array([0xff, 0xff, 0xff, 0x01]), says: /./ },
  { what: "nothing", body: "", says: /./ },
  { what: "an unknown field", body: { chnages: [] }, says: /chnages/ },
  { what: "an unknown key", body: { changes: [{ key: "config/nope/x", value: {} }] }, says: /config\/nope\/x/ },
  {
    what: "a key that contradicts its value",
    body: { changes: [{ key: `${KEY}eth7`, value: { name: "eth8" } }] },
    says: /eth7.*eth8|eth8.*eth7/,
  },
  {
    what: "the same key twice",
    body: { changes: [interfaceChange("eth7"), interfaceChange("eth7")] },
    says: /eth7.*twice/,
  },
] as const;

for (const { what, body, says } of REFUSED) {
  test(`${what} is rejected with 422 and the reason`, async (t) => {
    const { ask } = await localAgent(t);
    const raw = typeof body === "object" && !(body instanceof Uint8Array) ? JSON.stringify(body) : body;
    const answer = await ask("POST", "/v1/transactions", { body: raw });
    t.is(answer.status, 422);
    const { outcome, error } = answer.json<TransactionResult>();
    t.is(outcome, "REJECTED");
    t.regex(error, says);
  });
}

test("a transaction that partly fails is dealt with: 200 and PARTIAL, with the southbound's words", async (t) => {
  const { send } = await localAgent(t);
  const changes = [interfaceChange("good"), interfaceChange("bad", { mtu: REFUSED_MTU })];
  const answer = await send("POST", "/v1/transactions", { changes });
  t.is(answer.status, 200);
  const { outcome, values } = answer.json<TransactionResult>();
  t.is(outcome, "PARTIAL");
  t.regex(values.find(({ key }) => key.endsWith("bad"))?.error ?? "", /EINVAL: mtu greater/);
});

test("an unconfirmed transaction is kept by confirm and reverted by cancel", async (t) => {
  const { ask, send } = await localAgent(t);
  for (const [id, action, outcome, left] of [
    ["a", "confirm", "APPLIED", 1],
    ["b", "cancel", "REVERTED", 1],
  ] as const) {
    const body = { id, confirm_timeout: "60s", changes: [interfaceChange(`eth-${id}`)] };
    t.is((await send("POST", "/v1/transactions", body)).json<TransactionResult>().outcome, "UNCONFIRMED");
    const answer = await ask("POST", `/v1/transactions/${id}/${action}`);
    t.is(answer.json<TransactionResult>().outcome, outcome);
    t.is((await ask("GET", "/v1/config")).json<readonly object[]>().length, left);
  }
});

test("a transaction that nobody knows cannot be confirmed or cancelled: 404", async (t) => {
  const { ask } = await localAgent(t);
  for (const action of ["confirm", "cancel"]) {
    const answer = await ask("POST", `/v1/transactions/unheard-of/${action}`);
    t.is(answer.status, 404);
    t.like(answer.json(), { error: { code: "UNKNOWN_TRANSACTION" } });
  }
});

test("the history lists transactions, and gives one by its sequence number", async (t) => {
  const { ask, send } = await localAgent(t);
  const { seq } = (
    await send("POST", "/v1/transactions", { id: "h", description: "first", changes: [interfaceChange("eth7")] })
  ).json<TransactionResult>();
  const all = (await ask("GET", "/v1/transactions")).json<readonly HistoryEntry[]>();
  t.true(all.some((entry) => entry.seq === seq && entry.id === "h"));
  const one = (await ask("GET", `/v1/transactions/${seq}`)).json<HistoryEntry>();
  t.is(one.description, "first");
  t.deepEqual(
    one.executed.map(({ operation, key }) => `${operation} ${key}`),
    [`CREATE ${KEY}eth7`],
  );
  t.is((await ask("GET", "/v1/transactions/99999")).status, 404);
  t.is((await ask("GET", "/v1/transactions/x")).status, 400);
});

test("a body larger than allowed is refused with 413", async (t) => {
  const { send } = await localAgent(t, { max_body_bytes: 1000 });
  const answer = await send("POST", "/v1/transactions", { description: "x".repeat(2000), changes: [] });
  t.is(answer.status, 413);
});
