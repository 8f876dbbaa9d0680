import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { headers } from "nats";
import { requestSubject } from "#proto/nats.js";
import { type Broker, startKafka, startNats } from "#test/support/brokers.js";
import { eventually } from "#test/support/eventually.js";
import { kafkaProgram } from "#test/support/programs.js";
import type { Benchmark, Measurement, Outcome, Run } from "./benchmark.js";
import { sized } from "./benchmark.js";
import { BusClient } from "./bus-client.js";
import { prefixes } from "./file-routes.js";
import { KafkaCommands } from "./kafka-routes.js";
import { type MeasuredAgent, measuredAgent } from "./measured-agent.js";
import * as routes from "./routes.js";
import { label } from "./scene.js";
import { monotonic } from "./stalls.js";

const execute = promisify(execFile);

const REQUESTS = ["get", "dump", "status", "history"] as const;
const PATHS = [
  "/v1/config",
  "/v1/status",
  "/v1/dump",
  "/v1/transactions",
  "/metrics",
  "/configuration",
  "/scheduler/dump",
  "/scheduler/status",
  "/scheduler/txn-history",
  "/scheduler/graph-snapshot",
  "/scheduler/graph",
  "/scheduler/key-timeline",
  "/scheduler/flag-stats",
  "/dump/linux/v2/routes",
] as const;

export const liveness: Benchmark = {
  name: "liveness",
  method:
    "The longest wait for an answer to GET /liveness on the local socket, asked again and again by a thread of its own, while an agent (store, results, history and " +
    "events on) does the largest work there is: 100,000 routes by every way in, a resync of them, reading them, deleting them, a restart with them, and payloads that " +
    "are made to keep it busy. Beside it the longest turn of the agent's event loop in time of the processor, which what else the machine does " +
    "lengthens little, and the processor time of the whole agent.",
  repeats: 1,

  async run(run): Promise<Outcome> {
    const measurements: Measurement[] = [];
    for (let turn = 0; turn < run.repeats; turn++) {
      await overNats(run, measurements);
      await fromFile(run, measurements);
      if (kafkaProgram() !== undefined) await overKafka(run, measurements);
    }
    return { measurements, comparisons: [] };
  },
};

async function overNats(run: Run, into: Measurement[]): Promise<void> {
  const server = await startNats({ configuration: "max_payload: 8MB\n" });
  const watched = await Watched.start(run, into, { flavor: "nats", args: ["--nats", server.url] });
  const client = await BusClient.connect(server.url, label);
  try {
    await largeWork(run, watched, client);
    await hostileWork(run, watched, client, server);
  } finally {
    await client.close();
    await watched.stop();
    await server.stop();
  }
}

async function largeWork(run: Run, watched: Watched, client: BusClient): Promise<void> {
  const networks = routes.destinations(sized(run, 100_000));
  const adding = networks.map((network) => routes.routeChange(network));
  await client.commit(client.prepare(routes.uplinkChanges()));
  const ask = (name: Parameters<typeof requestSubject>[1], body: object): Promise<unknown> =>
    client.connection.request(requestSubject(label, name), JSON.stringify(body), { timeout: 600_000 });

  await watched.during("routes over NATS in parts", () => client.commit(client.prepare(adding)));
  await watched.during("the same again, nothing to do", () => client.commit(client.prepare(adding)));
  await watched.during("a downstream resync", () => client.resyncDownstream());
  await watched.during("a full resync", () => ask("resync", {}));
  for (const name of REQUESTS) await watched.during(`config.${name} over NATS`, () => ask(name, {}));
  const plan = { id: randomUUID(), dry_run: true, changes: networks.map(routes.routeRemoval) };
  await watched.during("a plan of their deletion over HTTP", () => watched.post(JSON.stringify(plan)));
  for (const path of PATHS) await watched.during(`GET ${path}`, () => watched.get(path));
  await watched.during("a restart with them", async () => {
    await watched.agent.process.restart();
    await client.resyncDownstream();
  });
  await watched.during("their deletion over NATS", () =>
    client.commit(client.prepare(networks.map(routes.routeRemoval))),
  );
  await watched.during("routes over HTTP", () => watched.post(JSON.stringify({ id: randomUUID(), changes: adding })));
  const none = { id: randomUUID(), mode: "REPLACE", changes: routes.uplinkChanges() };
  await watched.during("a REPLACE without them over HTTP", () => watched.post(JSON.stringify(none)));
}

async function hostileWork(run: Run, watched: Watched, client: BusClient, server: Broker): Promise<void> {
  const parts = (count: number, part: (index: number) => readonly [id: string, position: string]) => async () => {
    for (let index = 0; index < count; index++) {
      const [id, position] = part(index);
      const head = headers();
      head.set("tenuto-part", position);
      client.connection.publish(requestSubject(label, "commit"), JSON.stringify({ id, changes: [] }), {
        headers: head,
      });
      if (index % 1_000 === 999) await client.connection.flush();
    }
    await client.commit(client.prepare([routes.routeChange("192.0.2.0/24")]));
  };
  await watched.during(
    "parts of 100,000 transactions that never end",
    parts(sized(run, 100_000), (index) => [`never-${index}`, "1/2"]),
  );
  await watched.during(
    "half a million parts of transactions that never end",
    parts(sized(run, 500_000), (index) => [`half-${index % 1_000}`, `${1 + Math.floor(index / 1_000)}/60000`]),
  );
  await watched.during("54 MB of {} over HTTP", () =>
    watched.post(`{"changes":[${"{},".repeat(sized(run, 18_000_000))}{}]}`),
  );
  await watched.during("changes of two bytes over NATS", () =>
    client.connection.request(
      requestSubject(label, "commit"),
      `{"changes":[${"{},".repeat(sized(run, 2_000_000))}{}]}`,
      { timeout: 600_000 },
    ),
  );
  await watched.during("a start of its broker", () => server.restart());
}

async function fromFile(run: Run, into: Measurement[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-bench-"));
  const [path, staged] = [join(directory, "desired"), join(directory, "staged")];
  await mkdir(path);
  await writeFile(join(path, "uplink.json"), JSON.stringify({ changes: routes.uplinkChanges() }));
  const watched = await Watched.start(run, into, {
    flavor: "embedded",
    configuration: { file: { path, settle: "10ms" } },
  });
  try {
    const networks = routes.destinations(sized(run, 100_000));
    const none = await prefixes();
    const write = async (text: string, name: string, isDone: (count: number) => boolean): Promise<void> => {
      await writeFile(staged, text);
      await rename(staged, join(path, name));
      await eventually(async () => isDone(await prefixes()), { timeout: 300_000, what: "the routes" });
    };
    const changes = networks.map((network) => routes.routeChange(network));
    const has = (count: number): boolean => count >= none + networks.length;
    const hasNone = (count: number): boolean => count <= none;
    await watched.during("routes from a JSON file", () => write(JSON.stringify({ changes }), "routes.json", has));
    await watched.during("a file that has none of them", () => write('{"changes":[]}', "routes.json", hasNone));
    const lines = changes.map((change) => `- ${JSON.stringify(change)}\n`);
    await watched.during("routes from a YAML file", () => write(`changes:\n${lines.join("")}`, "routes.yaml", has));
  } finally {
    await watched.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function overKafka(run: Run, into: Measurement[]): Promise<void> {
  const broker = await startKafka();
  const watched = await Watched.start(run, into, { flavor: "kafka", args: ["--kafka", broker.url] });
  const bus = await KafkaCommands.connect(broker.url);
  try {
    const networks = routes.destinations(sized(run, 100_000));
    await bus.commit(routes.uplinkChanges());
    const adding = networks.map((network) => routes.routeChange(network));
    await watched.during("routes over Kafka in parts", () => bus.commit(adding));
    await watched.during("their deletion over Kafka", () => bus.commit(networks.map(routes.routeRemoval)));
  } finally {
    await bus.close();
    await watched.stop();
    await broker.stop();
  }
}

/** An agent that somebody asks all the time whether it lives. */
class Watched {
  private constructor(
    readonly agent: MeasuredAgent,
    private readonly asker: Worker,
    private readonly stalls: string,
    private readonly measurements: Measurement[],
  ) {}

  static async start(
    run: Run,
    into: Measurement[],
    options: Omit<Parameters<typeof measuredAgent>[1], "label" | "stalls">,
  ): Promise<Watched> {
    const stalls = join(await mkdtemp(join(tmpdir(), "tenuto-bench-")), "stalls");
    await writeFile(stalls, "");
    const agent = await measuredAgent(run, { ...options, label, stalls });
    const workerData = { socketPath: agent.process.socket };
    return new Watched(
      agent,
      new Worker(new URL("./liveness-asker.js", import.meta.url), { workerData }),
      stalls,
      into,
    );
  }

  async during(what: string, work: () => Promise<unknown>): Promise<void> {
    await this.longestWait();
    const [began, { pid }] = [monotonic(), this.agent.process];
    const used = await processorTime(pid);
    await work();
    const wait = await this.longestWait();
    const spent = (await processorTime(this.agent.process.pid)) - (pid === this.agent.process.pid ? used : 0);
    const turns = (await readFile(this.stalls, "utf8")).split("\n").map((line) => line.split(" ").map(Number));
    const worked = turns.flatMap(([at = 0, , processor = 0]) => (at >= began ? [processor] : []));
    const turn = Math.max(0, ...worked);
    console.error(`  ${what}: wait ${wait.toFixed(0)}, turn ${turn.toFixed(0)}, processor ${spent.toFixed(0)} ms`);
    this.add(`${what}: longest wait`, wait);
    this.add(`${what}: longest turn`, turn);
    this.add(`${what}: processor time`, spent);
  }

  post(body: string): Promise<string> {
    return this.ask("POST", "/v1/transactions", body);
  }

  get(path: string): Promise<string> {
    return this.ask("GET", path);
  }

  async stop(): Promise<void> {
    await this.asker.terminate();
    await this.agent.stop();
    // The next agent has a new store: it would find values that nobody asks for.
    await execute("ip", ["link", "delete", routes.uplink.name]);
    await rm(join(this.stalls, ".."), { recursive: true, force: true });
  }

  private longestWait(): Promise<number> {
    return new Promise((resolve) => {
      this.asker.once("message", resolve);
      this.asker.postMessage("tell");
    });
  }

  /** The first bytes of the answer. */
  private ask(method: string, path: string, body = ""): Promise<string> {
    return new Promise((resolve, reject) => {
      const head = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
      const { socket: socketPath } = this.agent.process;
      const call = request({ socketPath, method, path, headers: head, agent: false }, (response) => {
        let first = "";
        response.on("data", (piece: Buffer) => {
          if (first === "") first = piece.toString("utf8", 0, 1_000);
        });
        response.once("end", () => resolve(first)).once("error", reject);
      });
      call.once("error", reject);
      call.end(body);
    });
  }

  private add(name: string, value: number): void {
    const known = this.measurements.findIndex((one) => one.name === name);
    const values = [...(this.measurements[known]?.values ?? []), value];
    this.measurements.splice(known < 0 ? this.measurements.length : known, 1, { name, unit: "ms", values });
  }
}

/** Of all threads of a process, ms. */
async function processorTime(pid: number): Promise<number> {
  const [, fields = ""] = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ");
  const [user, system] = fields.split(" ").slice(11, 13).map(Number);
  return ((user ?? 0) + (system ?? 0)) * 10;
}
