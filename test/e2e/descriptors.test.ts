import { readdirSync } from "node:fs";
import { Agent as Connections, request } from "node:http";
import { json } from "node:stream/consumers";
import test from "ava";
import { interfaceKey } from "#proto/index.js";
import { agentProcess } from "#test/support/agent-process.js";
import { eventually } from "#test/support/eventually.js";
import { link, run } from "#test/support/sandbox.js";

interface Readiness {
  readonly health: string;
  readonly PluginStatus: Readonly<Record<string, { readonly health: string; readonly error?: string }>>;
}
interface Result {
  readonly outcome: string;
  readonly values: readonly { readonly key: string; readonly state: string; readonly error: string }[];
}

/** The first descriptor that a process would get. */
function lowestFree(pid: number): number {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (open.has(free)) free++;
  return free;
}

/** A pair of links, the first of them in a namespace. */
function pair(name: string, namespace?: string) {
  const place = namespace === undefined ? {} : { namespace: { type: "NSID", reference: namespace } };
  const link = (own: string, peer: string, more = {}) => ({
    key: interfaceKey(own),
    value: { name: own, type: "VETH", enabled: true, veth: { peer_if_name: peer }, ...more },
  });
  return [link(name, `${name}p`, place), link(`${name}p`, name)];
}

test("an agent without file descriptors says so, does what it can without, and goes on when there are some", async (t) => {
  const agent = await agentProcess({
    label: "descriptors",
    // With modules of its own each, which are loaded when they are needed.
    env: { TENUTO_BUNDLE: "0" },
    configuration: { scheduler: { retry_period: "100ms", retry_backoff: false } },
  });
  t.teardown(() => agent.stop());
  // Of a time when there were descriptors: a new connection gets none.
  const connections = new Connections({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => connections.destroy());
  const ask = <T>(method: string, path: string, body?: object) =>
    new Promise<T>((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": "application/json" };
      const call = request({ agent: connections, socketPath: agent.socket, method, path, headers }, (response) => {
        json(response).then((parsed) => resolve(parsed as T), reject);
      });
      call.once("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
  const statusOf = (path: string) =>
    new Promise<number>((resolve, reject) => {
      request({ agent: connections, socketPath: agent.socket, path }, (response) => {
        response.resume().once("end", () => resolve(response.statusCode ?? 0));
      })
        .once("error", reject)
        .end();
    });
  const commit = (changes: readonly object[]) => ask<Result>("POST", "/v1/transactions", { changes });
  const readiness = () => ask<Readiness>("GET", "/readiness");
  const limit = (descriptors: number) => run(["prlimit", "--pid", `${agent.pid}`, `--nofile=${descriptors}:`]);
  t.is((await commit(pair("before"))).outcome, "APPLIED");

  for (const descriptors of [lowestFree(agent.pid), 4]) {
    await limit(descriptors);
    const said = await eventually(async () => {
      const { process } = (await readiness()).PluginStatus;
      return process?.health === "degraded" && process.error;
    });
    t.regex(said, /^out of file descriptors: .*LimitNOFILE=/);
    for (const path of descriptors === 4 ? [] : ["/", "/openapi.json", "/asyncapi.json"])
      t.is(await statusOf(path), 503, path);
    t.is((await commit(pair(`now${descriptors}`))).outcome, "APPLIED", "what needs none is done");
    const { outcome, values } = await commit(pair(`later${descriptors}`, `place${descriptors}`));
    t.is(outcome, "PARTIAL");
    t.regex(values.map(({ error }) => error).join(), /EMFILE/);
    await limit(1024);
    await eventually(async () => (await readiness()).health === "ok", { what: "the agent to be well" });
    await eventually(
      async () => (await link(`later${descriptors}`, { namespace: `place${descriptors}` })) !== undefined,
    );
    for (const path of ["/liveness", "/", "/openapi.json", "/asyncapi.json"]) t.is(await statusOf(path), 200, path);
  }
  t.truthy(await link("before"));
  t.true(agent.running);
  t.notRegex(agent.log, /a bug in tenuto/);
});
