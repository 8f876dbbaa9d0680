import test from "ava";
import type { TransactionResult } from "#core/northbound/index.js";
import { interfaceChange, KEY, localAgent, REFUSED_MTU } from "./local-agent.js";

interface LigatoRecord {
  readonly SeqNum: number;
  readonly TxnType: string;
  readonly ResyncType?: string;
  readonly Executed: readonly { readonly Operation: string; readonly Key: string; readonly NewState: string }[];
}

test("a dump without arguments lists what may be asked for", async (t) => {
  const { ask } = await localAgent(t);
  const { Descriptors, KeyPrefixes, Views } = (await ask("GET", "/scheduler/dump")).json<
    Record<string, readonly string[]>
  >();
  t.true(Descriptors?.includes("memory-interface"));
  t.true(KeyPrefixes?.includes(KEY));
  t.deepEqual(Views, ["NB", "SB", "cached"]);
});

test("a dump by view, by key prefix and by descriptor", async (t) => {
  const { ask, send } = await localAgent(t);
  await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7"), interfaceChange("other")] });
  const keys = async (query: string): Promise<readonly string[]> =>
    (await ask("GET", `/scheduler/dump?${query}`))
      .json<readonly { Key: string }[]>()
      .map(({ Key }) => Key.slice(KEY.length));
  t.deepEqual(await keys("view=NB"), ["eth7", "other"]);
  t.deepEqual(await keys(`view=cached&key-prefix=${KEY}eth`), ["eth7"]);
  t.deepEqual(await keys("view=cached&descriptor=memory-interface"), ["eth7", "other"]);
  t.is((await ask("GET", "/scheduler/dump?descriptor=nope")).status, 404);
  t.is((await ask("GET", "/scheduler/dump?view=sideways")).status, 400);
});

test("a dumped value has Ligato's field names", async (t) => {
  const { ask, send } = await localAgent(t);
  await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7")] });
  t.deepEqual((await ask("GET", "/scheduler/dump?view=cached")).json<readonly object[]>(), [
    { Key: `${KEY}eth7`, Value: { name: "eth7", type: "DUMMY" }, Metadata: { index: 7 }, Origin: 1 },
  ]);
});

test("the status of a key, and of all below a prefix", async (t) => {
  const { ask, send } = await localAgent(t);
  await send("POST", "/v1/transactions", {
    changes: [interfaceChange("eth7"), interfaceChange("bad", { mtu: REFUSED_MTU })],
  });
  t.deepEqual((await ask("GET", `/scheduler/status?key=${KEY}eth7`)).json(), {
    value: { key: `${KEY}eth7`, state: "CONFIGURED", lastOperation: "CREATE" },
  });
  const all = (await ask("GET", `/scheduler/status?key-prefix=${KEY}`)).json<
    readonly { value: { error?: string } }[]
  >();
  t.is(all.length, 2);
  t.true(all.some(({ value }) => value.error?.includes("EINVAL")));
});

test("the history by sequence number, by time and as text", async (t) => {
  const { ask, send } = await localAgent(t);
  const change = { description: "one interface", changes: [interfaceChange("eth7")] };
  const { seq } = (await send("POST", "/v1/transactions", change)).json<TransactionResult>();
  const [record, ...others] = (await ask("GET", `/scheduler/txn-history?seq-num=${seq}`)).json<
    readonly LigatoRecord[]
  >();
  t.deepEqual(others, []);
  t.like(record, {
    SeqNum: seq,
    TxnType: "NBTransaction",
    Executed: [{ Operation: "CREATE", Key: `${KEY}eth7`, NewState: "CONFIGURED" }],
  });

  const now = Math.ceil(Date.now() / 1000);
  const between = async (query: string): Promise<number> =>
    (await ask("GET", `/scheduler/txn-history?${query}`)).json<readonly LigatoRecord[]>().length;
  t.true((await between(`since=${now - 3600}&until=${now + 3600}`)) > 0);
  t.is(await between(`until=${now - 3600}`), 0);

  const text = await ask("GET", `/scheduler/txn-history?seq-num=${seq}&format=text`);
  t.regex(text.headers["content-type"] ?? "", /^text\/plain/);
  t.regex(text.text, new RegExp(`#${seq}  NBTransaction.*\\n  CREATE +CONFIGURED +${KEY}eth7\\n`));
  t.is((await ask("GET", "/scheduler/txn-history?seq-num=99999")).status, 404);
  t.is((await ask("GET", "/scheduler/txn-history?since=yesterday")).status, 400);
});

test("a downstream resync is answered with its transaction", async (t) => {
  const { ask } = await localAgent(t);
  const answer = await ask("POST", "/scheduler/downstream-resync");
  t.is(answer.status, 200);
  t.like(answer.json(), { TxnType: "NBTransaction", ResyncType: "DownstreamResync" });
});

for (const what of ["interfaces", "routes", "arps"]) {
  test(`/dump/linux/v2/${what} is what the southbound has`, async (t) => {
    const { ask, send } = await localAgent(t);
    await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7")] });
    const found = (await ask("GET", `/dump/linux/v2/${what}`)).json<readonly object[]>();
    const expected = { key: `${KEY}eth7`, interface: { name: "eth7", type: "DUMMY" }, interface_meta: { index: 7 } };
    t.deepEqual(found, what === "interfaces" ? [expected] : []);
  });
}
