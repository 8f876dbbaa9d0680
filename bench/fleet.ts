import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, type NatsConnection } from "nats";
import { interfaceKey } from "#proto/index.js";
import { requestSubject } from "#proto/nats.js";
import { startNats } from "#test/support/brokers.js";
import { Child } from "#test/support/child.js";
import { eventually } from "#test/support/eventually.js";
import { startEcho } from "./bare-bus.js";
import { type Benchmark, median, type Outcome, type Run, sized, time } from "./benchmark.js";

const processes = 4;
const answerTime = 60_000;

export const fleet: Benchmark = {
  name: "fleet",
  method:
    "1,000 agents (store on, interfaces in memory instead of the kernel, no local socket) in 4 processes on one nats-server. One change of one " +
    "interface to each of them at the same time, until all have answered; and until an interface state of every agent has " +
    "arrived at one subscriber. Compared with as many bare requests to one process that answers at once. Memory: of the 4 processes, " +
    "divided by the agents.",
  repeats: 5,

  async run(run): Promise<Outcome> {
    const count = sized(run, 1_000);
    const directory = await mkdtemp(join(tmpdir(), "tenuto-bench-"));
    const server = await startNats();
    const children: Child[] = [];
    const connection = await connect({ servers: server.url });
    try {
      const starting = await time(async () => children.push(...(await startFleet(server.url, directory, count))));
      return await measure(run, { connection, url: server.url, children, count, starting });
    } finally {
      await connection.close();
      await Promise.all(children.map((child) => child.stop()));
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    }
  },
};

async function startFleet(url: string, directory: string, count: number): Promise<readonly Child[]> {
  const program = fileURLToPath(new URL("./fleet-process.js", import.meta.url));
  const share = Math.ceil(count / processes);
  return Promise.all(
    Array.from({ length: Math.min(processes, count) }, async (_, index) => {
      const own = Math.max(0, Math.min(share, count - index * share));
      const child = await Child.start([process.execPath, program, url, directory, String(index * share), String(own)]);
      await child.logged(/ready/, 300_000);
      return child;
    }),
  );
}

interface Fleet {
  readonly connection: NatsConnection;
  readonly url: string;
  readonly children: readonly Child[];
  readonly count: number;
  /** Milliseconds from nothing to all ready. */
  readonly starting: number;
}

async function measure({ repeats }: Run, { connection, url, children, count, starting }: Fleet): Promise<Outcome> {
  const heard = new Set<string>();
  connection.subscribe("tenuto.*.state.interface.port", {
    callback: (_error, { subject }) => void heard.add(subject),
  });
  const echo = await startEcho(url, 400);
  const answered: number[] = [];
  const collected: number[] = [];
  const bare: number[] = [];
  for (let turn = 0; turn <= repeats; turn++) {
    heard.clear();
    const begin = performance.now();
    await Promise.all(Array.from({ length: count }, (_, index) => change(connection, `fleet-${index}`, 1400 + turn)));
    const end = performance.now();
    await eventually(() => heard.size === count, { what: "a state of every agent", timeout: answerTime });
    const last = performance.now();
    const request = new Uint8Array(300);
    const bareTime = await time(() =>
      Promise.all(
        Array.from({ length: count }, () => connection.request("bare.request", request, { timeout: answerTime })),
      ),
    );
    if (turn === 0) continue;
    answered.push(end - begin);
    collected.push(last - begin);
    bare.push(bareTime);
  }
  await echo.stop();
  const memory = await Promise.all(children.map(({ pid }) => residentMiB(pid)));
  return {
    measurements: [
      { name: "all answered", unit: "ms", values: answered },
      { name: "a state of each collected", unit: "ms", values: collected },
      { name: "bare requests", unit: "ms", values: bare },
      { name: "agents that answer", unit: "per second", values: answered.map((elapsed) => (count / elapsed) * 1000) },
      { name: "start of all", unit: "ms", values: [starting] },
      { name: "memory per agent", unit: "MiB", values: [memory.reduce((sum, each) => sum + each, 0) / count] },
    ],
    comparisons: [{ name: "all answered / bare requests", value: median(answered) / median(bare) }],
  };
}

async function change(connection: NatsConnection, label: string, mtu: number): Promise<void> {
  const value = { name: "port", type: "DUMMY", enabled: true, mtu };
  const data = JSON.stringify({ changes: [{ key: interfaceKey("port"), value }] });
  const answer = await connection.request(requestSubject(label, "commit"), data, { timeout: answerTime });
  const { outcome, error } = answer.json() as { readonly outcome?: string; readonly error?: unknown };
  if (outcome !== "APPLIED") throw new Error(`${label} answered ${outcome} ${JSON.stringify(error)}`);
}

async function residentMiB(pid: number): Promise<number> {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}
