import { stat } from "node:fs/promises";
import test from "ava";
import { Agent } from "#core/agent/index.js";
import { flavor } from "#core/flavor/index.js";
import { HttpPlugin } from "#plugins/http/index.js";
import { OrchestratorPlugin } from "#plugins/orchestrator/index.js";
import { StorePlugin } from "#plugins/store/index.js";
import { exchange, localAgent } from "./local-agent.js";

test("the local socket is for its owner and group, unless configured otherwise", async (t) => {
  const usual = await localAgent(t);
  t.is((await stat(usual.socket)).mode & 0o777, 0o660);
  const open = await localAgent(t, { socket_mode: "0666" });
  t.is((await stat(open.socket)).mode & 0o777, 0o666);
});

test("a closed agent leaves no socket behind", async (t) => {
  const { agent, socket } = await localAgent(t);
  await agent.close();
  await t.throwsAsync(stat(socket), { code: "ENOENT" });
});

test("a second agent on the same socket does not start, and the first goes on", async (t) => {
  const { ask, socket } = await localAgent(t);
  const second = new Agent({
    flavor: flavor("second", [StorePlugin, OrchestratorPlugin, HttpPlugin]),
    label: "t2",
    environment: {},
    configuration: { log: { level: "silent" }, store: { enabled: false }, http: { socket } },
  });
  await t.throwsAsync(second.start(), { message: /plugin http: afterInit failed: another agent is listening on/ });
  t.is((await ask("GET", "/liveness")).status, 200);
});

test("TCP is off unless enabled", async (t) => {
  const { agent } = await localAgent(t);
  t.is(agent.get(HttpPlugin).port, undefined);
});

const FOREIGN: readonly {
  readonly who: string;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
  readonly code: string | undefined;
}[] = [
  {
    who: "a page whose name was made to point here",
    headers: { host: "evil.example:9191" },
    status: 403,
    code: "FOREIGN_HOST",
  },
  {
    who: "a page that posts to us directly",
    headers: { host: "127.0.0.1:9191", origin: "https://evil.example" },
    status: 403,
    code: "FOREIGN_ORIGIN",
  },
  ...[
    "[::1].evil.example",
    "[::1",
    "127.0.0.1.evil.example",
    "localhost:9191:1",
    "user@localhost",
    "[evil.example]",
    "::1",
  ].map((host) => ({ who: `a client by the host "${host}"`, headers: { host }, status: 403, code: "FOREIGN_HOST" })),
  {
    who: "a page of another site that posts without an origin",
    method: "POST",
    headers: { host: "localhost:9191", "sec-fetch-site": "cross-site" },
    status: 403,
    code: "FOREIGN_ORIGIN",
  },
  {
    who: "somebody who follows a link to us",
    headers: { host: "localhost:9191", "sec-fetch-site": "cross-site" },
    status: 200,
    code: undefined,
  },
  { who: "a client by address", headers: { host: "127.0.0.1:9191" }, status: 200, code: undefined },
  { who: "a client by IPv6 address", headers: { host: "[::1]:9191" }, status: 200, code: undefined },
  { who: "a client by the name localhost", headers: { host: "LOCALHOST:9191" }, status: 200, code: undefined },
  { who: "a client by a name that was allowed", headers: { host: "agents.example" }, status: 200, code: undefined },
  {
    who: "our own page",
    headers: { host: "localhost:9191", origin: "http://localhost:9191" },
    status: 200,
    code: undefined,
  },
];

for (const { who, headers, status, code, method = "GET" } of FOREIGN) {
  test(`over TCP ${who} is answered with ${status}`, async (t) => {
    const { agent } = await localAgent(t, { tcp: { enabled: true, port: 0, allowed_hosts: ["agents.example"] } });
    const port = agent.get(HttpPlugin).port;
    const answer = await exchange({ host: "127.0.0.1", port, path: "/liveness", method }, { headers });
    t.is(answer.status, status);
    t.is(answer.json<{ error?: { code: string } }>().error?.code, code);
    t.is(answer.headers["access-control-allow-origin"], undefined);
  });
}
