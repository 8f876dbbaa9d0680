/**
 * Hours in small: an agent under mixed work (transactions, plans, bad input, a bucket, questions, events that somebody follows, drift
 * made by hand) whose memory, descriptors and threads must not grow. `npm run test:long` does it for half an hour.
 */
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import test from "ava";
import { type AgentProcess, agentProcess } from "#test/support/agent-process.js";
import { type Broker, startNats } from "#test/support/brokers.js";
import { LONG_VARIABLE } from "#test/support/counts.js";
import { eventually } from "#test/support/eventually.js";
import { ip, link } from "#test/support/sandbox.js";
import { Orchestrator } from "./support/bus.js";
import { healthy } from "./support/claims.js";
import { poison } from "./support/hostile.js";
import { INTERFACE } from "./support/pair.js";
import { end } from "./support/stream.js";

const LABEL = "soaks";
const MIB = 1024 * 1024;
const isLong = Boolean(process.env[LONG_VARIABLE]);
/** Rounds before the first measurement: caches, histories and compiled code have their size then. */
const WARM = isLong ? 150 : 3;
const DURATION = isLong ? 30 * 60_000 : 0;
const LEAST_ROUNDS = isLong ? 300 : 8;
/** Of resident memory, between the first third of the measurements and the last. */
const GROWTH = (isLong ? 24 : 96) * MIB;
/** Descriptors and threads come and go by themselves: a connection that is being remade, a thread of the pool. */
const SLACK = 4;

interface Usage {
  /** Bytes. */
  readonly rss: number;
  readonly handles: number;
  readonly threads: number;
}

let server: Broker;
let agent: AgentProcess;
let bus: Orchestrator;

test.before(async () => {
  server = await startNats();
  agent = await agentProcess({ label: LABEL, flavor: "nats", args: ["--nats", server.url] });
  bus = await Orchestrator.connect(server.url, LABEL);
});

test.after.always(async () => {
  await bus?.close();
  await agent?.stop();
  await server?.stop();
});

test.serial("memory, descriptors and threads stay as they are, however long the agent works", async (t) => {
  t.timeout(DURATION + 4 * 60_000);
  const events = bus.collect(">");
  const usages: Usage[] = [];
  const until = performance.now() + DURATION;
  for (let round = 0; round < WARM + LEAST_ROUNDS || performance.now() < until; round += 1) {
    await work(round);
    if (round >= WARM) usages.push(await usage(agent.pid));
  }
  await healthy(agent);
  t.true(events.length > 0);

  const third = Math.max(1, Math.floor(usages.length / 3));
  const [first, last] = [usages.slice(0, third), usages.slice(-third)];
  const [before, after] = [middle(first), middle(last)];
  t.log(
    `${usages.length} rounds of work; in the middle of the first third and of the last: ${told(before)}; ${told(after)}`,
  );
  t.true(after.rss - before.rss < GROWTH, "resident memory");
  t.true(after.handles - before.handles <= SLACK, "descriptors");
  t.true(after.threads - before.threads <= SLACK, "threads");
});

/** One round: everything that an agent is asked for in its life, and some things that it should not be. */
async function work(round: number): Promise<void> {
  const [name, peer] = ["soak", "soak-p"];
  const network = `10.77.${round % 250}.0/24`;
  const route = `config/linux/l3/v2/route/${network}/${name}`;
  await bus.commit([
    end(name, peer, { mtu: 1_400 + (round % 100), ip_addresses: ["10.76.0.1/32"] }),
    end(peer, name),
    { key: route, value: { outgoing_interface: name, dst_network: network, scope: "LINK" } },
  ]);
  await bus.commit([{ key: `${INTERFACE}${name}`, delete: true }], { dry_run: true });
  await bus.commit([end(`soak${round % 5}`, `soak${round % 5}-p`), end(`soak${round % 5}-p`, `soak${round % 5}`)]);
  const waiting = { id: randomUUID(), confirm_timeout: "1h" };
  await bus.commit([end("maybe", "maybe-p"), end("maybe-p", "maybe")], waiting);
  await bus.request("config.cancel", { id: waiting.id });
  await bus.send("config.commit", poison(round));
  await bus.put(`${INTERFACE}kept${round % 7}`, end(`kept${round % 7}`, `kept${round % 7}-p`).value);
  await bus.withdraw(`${INTERFACE}kept${(round + 3) % 7}`);
  for (const request of ["config.get", "config.status", "config.dump", "config.history"]) await bus.send(request, "{}");
  for (const path of ["/metrics", "/scheduler/dump", "/scheduler/txn-history", "/scheduler/graph"])
    await agent.request("GET", path).catch(() => undefined);

  await ip("link", "delete", `soak${round % 5}`);
  await eventually(async () => (await link(`soak${round % 5}`)) !== undefined, { what: "the pair to be made again" });
  await bus.commit([
    { key: route, delete: true },
    { key: `${INTERFACE}soak${round % 5}`, delete: true },
    { key: `${INTERFACE}soak${round % 5}-p`, delete: true },
  ]);
  if (round % 10 === 9) await bus.request("config.resync", {});
}

async function usage(pid: number): Promise<Usage> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const number = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  const handles = await readdir(`/proc/${pid}/fd`);
  return { rss: number("VmRSS") * 1024, handles: handles.length, threads: number("Threads") };
}

/** The median of each. */
function middle(usages: readonly Usage[]): Usage {
  const median = (of: (usage: Usage) => number): number =>
    usages.map(of).toSorted((a, b) => a - b)[Math.floor(usages.length / 2)] ?? 0;
  return {
    rss: median(({ rss }) => rss),
    handles: median(({ handles }) => handles),
    threads: median((one) => one.threads),
  };
}

function told({ rss, handles, threads }: Usage): string {
  return `${(rss / MIB).toFixed(0)} MiB, ${handles} descriptors, ${threads} threads`;
}
