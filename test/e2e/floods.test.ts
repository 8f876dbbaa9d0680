/**
 * Payloads that are small in bytes and large in work, each by a way in, while somebody asks whether the agent lives. What each may cost is
 * bounded; how long the longest wait for `/liveness` was is logged, and belongs below a second.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import test from "ava";
import { headers } from "nats";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { type Change, Orchestrator, type Result } from "./support/bus.js";

const LABEL = "flooded";
const MIB = 1024 * 1024;
/** Of resident memory over that of an idle agent, at its highest. */
const MOST_MEMORY = 1_024 * MIB;

let server: Broker;
let agent: AgentProcess;
let bus: Orchestrator;
let idle = 0;

test.before(async () => {
  server = await startNats({ configuration: "max_payload: 8MB\n" });
  agent = await agentProcess({ label: LABEL, flavor: "nats", args: ["--nats", server.url] });
  bus = await Orchestrator.connect(server.url, LABEL);
  idle = await memory("VmRSS");
});

test.after.always(async () => {
  await bus?.close();
  await agent?.stop();
  await server?.stop();
});

interface Flood {
  readonly send: () => Promise<string>;
  readonly answered: RegExp;
}

const floods: Readonly<Record<string, Flood>> = {
  "54 MB of empty objects over HTTP": {
    send: () => post(`{"changes":[${"{},".repeat(18_000_000)}{}]}`),
    answered: /TOO_LARGE|REJECTED|too large|more than/,
  },
  "a depth bomb over HTTP": {
    send: () => post(`{"changes":${"[".repeat(5_000_000)}${"]".repeat(5_000_000)}}`),
    answered: /TOO_DEEP|REJECTED|inside each other/,
  },
  "a depth bomb over NATS": {
    send: () => sent(`{"changes":[{"key":"config/x","value":${'{"a":'.repeat(1_000_000)}1${"}".repeat(1_000_000)}}]}`),
    answered: /TOO_DEEP|REJECTED|inside each other/,
  },
  "two million changes of two bytes over NATS": {
    send: () => sent(`{"changes":[${"{},".repeat(2_000_000)}{}]}`),
    answered: /TOO_LARGE|REJECTED|more than/,
  },
};

for (const [name, { send, answered }] of Object.entries(floods)) {
  test.serial(`${name} is bad input, and costs no more than it may`, async (t) => {
    t.timeout(180_000);
    const { answer, longest } = await whileAsking(send);
    t.regex(answer.slice(0, 2_000), answered);
    t.true((await memory("VmHWM")) - idle < MOST_MEMORY);
    t.log(`the longest wait for /liveness: ${longest.toFixed(0)} ms`);
    t.is((await agent.request("GET", "/liveness")).status, 200);
  });
}

test.serial(
  "100,000 parts of transactions that never end are bounded, and a good transaction gets through",
  async (t) => {
    t.timeout(180_000);
    const subject = `tenuto.${LABEL}.config.commit`;
    const { longest } = await whileAsking(async () => {
      for (let index = 0; index < 100_000; index += 1) {
        const part = headers();
        part.set("tenuto-part", "1/2");
        bus.connection.publish(subject, JSON.stringify({ id: `never-${index}`, changes: [] }), { headers: part });
        if (index % 1_000 === 999) await bus.connection.flush();
      }
      return "";
    });
    const value = { name: "good", type: "BRIDGE", bridge: {} };
    const result = await bus.commit([{ key: "config/linux/interfaces/v2/interface/good", value }]);
    t.is(result.outcome, "APPLIED", result.error);
    t.true((await memory("VmHWM")) - idle < MOST_MEMORY);
    t.log(`the longest wait for /liveness: ${longest.toFixed(0)} ms`);
  },
);

test.serial("100,000 routes in one transaction are a good payload", async (t) => {
  t.timeout(240_000);
  const name = "flood";
  const pair = [
    {
      key: `config/linux/interfaces/v2/interface/${name}`,
      value: { name, type: "VETH", enabled: true, veth: { peer_if_name: "flood-p" } },
    },
    {
      key: "config/linux/interfaces/v2/interface/flood-p",
      value: { name: "flood-p", type: "VETH", enabled: true, veth: { peer_if_name: name } },
    },
  ];
  t.is((await bus.commit(pair)).outcome, "APPLIED");
  const routes = Array.from({ length: 100_000 }, (_, index): Change => {
    const dst = `10.${100 + Math.floor(index / 65_536)}.${Math.floor(index / 256) % 256}.${index % 256}/32`;
    return {
      key: `config/linux/l3/v2/route/${dst}/${name}`,
      value: { outgoing_interface: name, dst_network: dst, scope: "LINK" },
    };
  });
  const { answer, longest } = await whileAsking(() => post(JSON.stringify({ id: randomUUID(), changes: routes })));
  t.is((JSON.parse(answer) as Result).outcome, "APPLIED");
  t.log(`the longest wait for /liveness: ${longest.toFixed(0)} ms`);
});

/** Does something while `/liveness` is asked again and again. */
async function whileAsking(
  work: () => Promise<string>,
): Promise<{ readonly answer: string; readonly longest: number }> {
  let longest = 0;
  let isDone = false;
  const asking = (async () => {
    while (!isDone) {
      const before = performance.now();
      await agent.request("GET", "/liveness");
      longest = Math.max(longest, performance.now() - before);
    }
  })();
  const answer = await work().finally(() => {
    isDone = true;
  });
  await asking;
  return { answer, longest };
}

function post(body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const call = request(
      { socketPath: agent.socket, method: "POST", path: "/v1/transactions", headers },
      (response) => {
        text(response).then((said) => resolve(`${response.statusCode} ${said}`.replace(/^200 /, "")), reject);
      },
    );
    call.once("error", reject);
    call.end(body);
  });
}

async function sent(payload: string): Promise<string> {
  return (await bus.send("config.commit", payload)).string();
}

async function memory(field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${agent.pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]) * 1_024;
}
