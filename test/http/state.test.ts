import test from "ava";
import type { PluginHealth } from "#core/health/types.js";
import { LogRegistry } from "#core/logging/types.js";
import type { KeyValue, TransactionResult, ValueStatus } from "#core/northbound/index.js";
import { interfaceChange, KEY, localAgent, REFUSED_MTU } from "./local-agent.js";

test("a running agent is alive and ready, and says so plugin by plugin in Ligato's words", async (t) => {
  const { ask } = await localAgent(t);
  for (const path of ["/liveness", "/readiness"]) {
    const answer = await ask("GET", path);
    t.is(answer.status, 200, path);
    t.like(answer.json(), { state: "OK", label: "t1", ready: true, PluginStatus: { http: { state: "OK" } } });
  }
});

test("info says who the agent is", async (t) => {
  const { ask } = await localAgent(t);
  const info = (await ask("GET", "/v1/info")).json<{
    plugins: readonly string[];
    plugin_health: readonly PluginHealth[];
  }>();
  t.like(info, { label: "t1", flavor: "http-test", health: "ok" });
  t.true(info.plugins.includes("http"));
  t.is(info.plugin_health.length, info.plugins.length);
});

test("status says what waits and what failed", async (t) => {
  const { ask, send } = await localAgent(t);
  const changes = [
    interfaceChange("good"),
    interfaceChange("bad", { mtu: REFUSED_MTU }),
    interfaceChange("lonely", { type: "VETH", veth: { peer_if_name: "nobody" } }),
  ];
  await send("POST", "/v1/transactions", { changes });
  const names = async (query: string): Promise<readonly string[]> =>
    (await ask("GET", `/v1/status${query}`)).json<readonly ValueStatus[]>().map(({ key }) => key.slice(KEY.length));
  t.deepEqual([...(await names(""))].sort(), ["bad", "good", "lonely"]);
  t.deepEqual(await names("?state=pending"), ["lonely"]);
  t.deepEqual(await names("?state=failed"), ["bad"]);
  t.deepEqual(await names(`?prefix=${KEY}go`), ["good"]);
  t.is((await ask("GET", "/v1/status?state=sleepy")).status, 400);
});

test("a dump shows the desired side and the other", async (t) => {
  const { ask, send } = await localAgent(t);
  await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7")] });
  for (const view of ["nb", "cached"]) {
    const values = (await ask("GET", `/v1/dump?view=${view}`)).json<readonly KeyValue[]>();
    t.deepEqual(
      values.map(({ key }) => key),
      [`${KEY}eth7`],
      view,
    );
  }
  t.is((await ask("GET", "/v1/dump")).text, (await ask("GET", "/v1/dump?view=nb")).text);
  t.is((await ask("GET", "/v1/dump?view=sideways")).status, 400);
});

test("a resync is a transaction like any other", async (t) => {
  const { ask } = await localAgent(t);
  for (const path of ["/v1/resync", "/v1/resync?downstream"]) {
    t.is((await ask("POST", path)).json<TransactionResult>().outcome, "APPLIED", path);
  }
});

test("a resync takes its argument from the body too, and knows no other", async (t) => {
  const { send } = await localAgent(t);
  const answer = await send("POST", "/v1/resync", { downstream: true });
  t.regex(answer.json<TransactionResult>().id, /^downstream-resync/);
  t.like((await send("POST", "/v1/resync", { down: true })).json(), {
    error: { code: "UNKNOWN_FIELD", field: "down" },
  });
});

test("interfaces are those that were told of and not deleted", async (t) => {
  const { ask, tell } = await localAgent(t);
  tell("eth7", "DOWN");
  tell("eth8", "UP");
  tell("eth7", "UP");
  tell("eth8", "DELETED");
  const interfaces = (await ask("GET", "/v1/interfaces")).json<
    readonly { state: { name: string; oper_status: string } }[]
  >();
  t.deepEqual(
    interfaces.map(({ state }) => `${state.name} ${state.oper_status}`),
    ["eth7 UP"],
  );
});

test("metrics count values and transactions in Prometheus's format", async (t) => {
  const { ask, send } = await localAgent(t);
  await send("POST", "/v1/transactions", { changes: [interfaceChange("eth7"), interfaceChange("eth8")] });
  const { headers, text } = await ask("GET", "/metrics");
  t.regex(headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
  t.regex(text, /^tenuto_values\{state="CONFIGURED"\} 2$/m);
  t.regex(text, /^tenuto_transactions_total\{kind="update",result="ok"\} 1$/m);
  t.regex(text, /^tenuto_plugin_health\{plugin="http",state="ok"\} 1$/m);
  for (const line of text.trimEnd().split("\n"))
    t.regex(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [\d.e+-]+)$/);
});

test("a logger's level is changed while the agent runs", async (t) => {
  const { agent, ask } = await localAgent(t);
  t.like(await ask("PUT", "/log/orchestrator/debug"), { status: 200 });
  t.true(
    agent
      .get(LogRegistry)
      .list()
      .some(({ logger, level }) => logger === "orchestrator" && level === "debug"),
  );
  const list = (await ask("GET", "/log/list")).json<readonly { logger: string; level: string }[]>();
  t.true(list.some(({ logger, level }) => logger === "orchestrator" && level === "debug"));
  t.is((await ask("PUT", "/log/nobody/debug")).status, 400);
  t.is((await ask("PUT", "/log/orchestrator/loud")).status, 400);
});

test("an unknown path is answered with those that there are", async (t) => {
  const { ask } = await localAgent(t);
  const answer = await ask("GET", "/scheduler/nothing");
  t.is(answer.status, 404);
  const { error, paths } = answer.json<{ error: { code: string }; paths: readonly string[] }>();
  t.is(error.code, "NOT_FOUND");
  t.true(paths.includes("POST /v1/transactions"));
  t.true(paths.includes("GET /scheduler/dump"));
});
