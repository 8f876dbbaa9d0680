import test from "ava";
import { ModelRegistry } from "#core/model/types.js";
import type { KeyValue, TransactionResult } from "#core/northbound/index.js";
import type { Interface } from "#proto/index.js";
import { KEY, localAgent } from "./local-agent.js";

test("a value is put, read, listed and deleted under its key", async (t) => {
  const { ask, send } = await localAgent(t);
  const path = `/v1/config/${KEY}eth7`;
  t.is(
    (await send("PUT", path, { name: "eth7", type: "DUMMY", mtu: 1400 })).json<TransactionResult>().outcome,
    "APPLIED",
  );
  t.deepEqual((await ask("GET", path)).json(), { name: "eth7", type: "DUMMY", mtu: 1400 });
  t.deepEqual(
    (await ask("GET", `/v1/config?prefix=${KEY}`)).json<readonly KeyValue[]>().map(({ key }) => key),
    [`${KEY}eth7`],
  );
  t.deepEqual((await ask("GET", "/v1/config?prefix=config/linux/l3/")).json(), []);
  t.is((await ask("DELETE", path)).json<TransactionResult>().outcome, "APPLIED");
  const gone = await ask("GET", path);
  t.is(gone.status, 404);
  t.like(gone.json(), { error: { code: "NO_SUCH_VALUE", key: `${KEY}eth7` } });
});

test("a value is put as protobuf, and read as protobuf by who accepts it", async (t) => {
  const { agent, ask } = await localAgent(t);
  const models = agent.get(ModelRegistry);
  const key = `${KEY}eth7`;
  const body = models.encode(key, { name: "eth7", type: "DUMMY", mtu: 1400 }, "protobuf");
  const put = await ask("PUT", `/v1/config/${key}`, { headers: { "content-type": "application/x-protobuf" }, body });
  t.is(put.status, 200);
  const got = await ask("GET", `/v1/config/${key}`, { headers: { accept: "application/x-protobuf" } });
  t.is(got.headers["content-type"], "application/x-protobuf");
  t.is((models.decode(key, got.bytes, "application/x-protobuf").value as Interface).mtu, 1400);
  t.is((await ask("GET", `/v1/config/${key}`)).json<Interface>().mtu, 1400);
});

test("a key with characters that need escaping in a path is the key that was meant", async (t) => {
  const { ask, send } = await localAgent(t);
  const name = "odd %?#name";
  const path = `/v1/config/${KEY}${encodeURIComponent(name)}`;
  t.is((await send("PUT", path, { name, type: "DUMMY" })).json<TransactionResult>().outcome, "APPLIED");
  t.is((await ask("GET", path)).json<Interface>().name, name);
});

test("a bad value is rejected, and names key and field", async (t) => {
  const { send } = await localAgent(t);
  const answer = await send("PUT", `/v1/config/${KEY}eth7`, { name: "eth7", mtu: "big" });
  t.is(answer.status, 422);
  const { error } = answer.json<TransactionResult>();
  t.regex(error, /eth7/);
  t.regex(error, /mtu/);
});

test("a value that is no JSON object is refused with 400", async (t) => {
  const { ask } = await localAgent(t);
  const headers = { "content-type": "application/json" };
  for (const body of ["{nonsense", "5", "[]", ""]) {
    const answer = await ask("PUT", `/v1/config/${KEY}eth7`, { headers, body });
    t.is(answer.status, 400, body);
    t.like(answer.json(), { error: { code: "NOT_JSON" } });
  }
});
