import test from "ava";
import { interfaceChange, KEY, localAgent } from "./local-agent.js";

interface RecordedNode {
  readonly Key: string;
  readonly Since: string;
  readonly Until: string;
  readonly Value: object;
  readonly Flags: Readonly<Record<string, string>>;
}

interface GraphMessage {
  readonly time: string;
  readonly complete: boolean;
  readonly values: readonly { readonly key: string; readonly state: string }[];
}

test("the timeline of a key, whole and at a time", async (t) => {
  const { ask, send } = await localAgent(t);
  await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7")] });
  await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7", { mtu: 1400 })] });
  const path = `/scheduler/key-timeline?key=${KEY}eth7`;
  const timeline = (await ask("GET", path)).json<readonly RecordedNode[]>();
  t.deepEqual(
    timeline.map(({ Value, Flags }) => [Value, Flags["value-state"], Flags.descriptor]),
    [
      [{ name: "eth7", type: "DUMMY" }, "CONFIGURED", "memory-interface"],
      [{ name: "eth7", type: "DUMMY", mtu: 1400 }, "CONFIGURED", "memory-interface"],
    ],
  );
  t.is(timeline[0]?.Until, timeline[1]?.Since);
  const then = (await ask("GET", `${path}&time=${timeline[1]?.Since}`)).json<RecordedNode>();
  t.deepEqual(then, timeline[1]);
  t.is((await ask("GET", `${path}&time=1`)).text, "null");
  t.is((await ask("GET", "/scheduler/key-timeline")).status, 400);
});

test("the graph as a picture, in Graphviz's language and as JSON; now, at a time, and as a transaction left it", async (t) => {
  const { ask, send } = await localAgent(t);
  const { seq } = (await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7")] })).json<{
    seq: number;
  }>();
  const picture = await ask("GET", "/scheduler/graph");
  t.regex(picture.headers["content-type"] ?? "", /^image\/svg\+xml/);
  t.true(picture.text.includes(`>${KEY}eth7</text>`));
  const dot = await ask("GET", "/scheduler/graph?format=dot");
  t.true(dot.text.includes(`"${KEY}eth7" [label="${KEY}eth7\\nCONFIGURED"`));
  const json = async (query: string): Promise<GraphMessage> =>
    (await ask("GET", `/scheduler/graph?format=json${query}`)).json<GraphMessage>();
  const now = await json("");
  t.true(now.complete);
  t.like(now.values[0], { key: `${KEY}eth7`, state: "CONFIGURED" });
  t.is((await json(`&txn=${seq}`)).values.length, 1);
  t.deepEqual((await json("&time=1")).values, []);
  t.is((await ask("GET", "/scheduler/graph?txn=99999")).status, 404);
  t.is((await ask("GET", "/scheduler/graph?format=png")).status, 400);
  t.is((await ask("GET", "/scheduler/graph?time=yesterday")).status, 400);
});

test("a graph of too many values is not drawn, and may be had in other formats", async (t) => {
  const { ask, send } = await localAgent(t);
  const changes = Array.from({ length: 2_001 }, (_, number) => interfaceChange(`eth${number}`));
  await send("POST", "/v1/transactions", { changes });
  const { status, text } = await ask("GET", "/scheduler/graph");
  t.is(status, 400);
  t.regex(text, /2001 values are too many for a picture; ask for format=dot or json/);
  t.is((await ask("GET", "/scheduler/graph?format=json")).json<GraphMessage>().values.length, 2_001);
});

test("a graph snapshot says what a value depends on, and what of that is not there", async (t) => {
  const { ask, send } = await localAgent(t);
  const lonely = interfaceChange("lonely", { type: "VETH", veth: { peer_if_name: "nobody" } });
  await send("POST", "/v1/transactions", { changes: [lonely] });
  const [node] = (await ask("GET", "/scheduler/graph-snapshot")).json<readonly object[]>();
  t.like(node, { Key: lonely.key, Targets: { "depends-on": { "interface nobody": [] } } });
  const picture = (await ask("GET", "/scheduler/graph")).text;
  t.true(picture.includes(`${KEY}nobody is not there`));
  t.true(picture.includes("depends on interface nobody"));
});

test("flag statistics, also for some prefixes only", async (t) => {
  const { ask, send } = await localAgent(t);
  await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7"), interfaceChange("other")] });
  const count = async (query: string): Promise<object> => (await ask("GET", `/scheduler/flag-stats?${query}`)).json();
  t.deepEqual(await count("flag=value-state"), { TotalCount: 2, PerValueCount: { CONFIGURED: 2 } });
  t.deepEqual(await count(`flag=value-state&prefix=${KEY}eth&prefix=nothing`), {
    TotalCount: 1,
    PerValueCount: { CONFIGURED: 1 },
  });
  t.is((await ask("GET", "/scheduler/flag-stats?flag=pole")).status, 400);
  t.is((await ask("GET", "/scheduler/flag-stats")).status, 400);
});

test("the graph is also answered as a request of its own, which every bus carries", async (t) => {
  const { ask, send } = await localAgent(t);
  await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7")] });
  const { values } = (await send("POST", "/v1/scheduler/graph", {})).json<GraphMessage>();
  t.like(values[0], { key: `${KEY}eth7`, state: "CONFIGURED" });
  t.deepEqual((await ask("GET", "/v1/scheduler/graph?time=1")).json<GraphMessage>().values, []);
  t.is((await send("POST", "/v1/scheduler/graph", { time: "noon" })).status, 400);
});

const TIMES = [
  { what: "seconds", of: (ms: number) => String(ms / 1000) },
  { what: "milliseconds", of: (ms: number) => String(ms) },
  { what: "nanoseconds", of: (ms: number) => `${ms}000000` },
  { what: "RFC 3339", of: (ms: number) => new Date(ms).toISOString() },
];

for (const { what, of } of TIMES) {
  test(`a time may be given in ${what}`, async (t) => {
    const { ask } = await localAgent(t);
    const answer = await ask("GET", `/scheduler/graph?format=json&time=${of(1_700_000_000_123)}`);
    t.is(answer.json<GraphMessage>().time, "2023-11-14T22:13:20.123Z");
  });
}
