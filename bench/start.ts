import { setTimeout as pause } from "node:timers/promises";
import { startNats } from "#test/support/brokers.js";
import { Child } from "#test/support/child.js";
import { type Benchmark, median, type Outcome, type Run, sized, time } from "./benchmark.js";
import { type MeasuredAgent, measuredAgent } from "./measured-agent.js";

const restTime = 10_000;

export const start: Benchmark = {
  name: "start",
  method:
    "An agent with an empty store, from the start of its process to the first time that its local socket says it is ready with " +
    "everything well (asked every 10 ms), flavors embedded and nats; compared with `node -e 0` from start to exit. In turns, the " +
    "first of each is not counted. Memory: resident after 10 s without work.",
  repeats: 7,

  async run(run): Promise<Outcome> {
    const server = await startNats();
    const bare: number[] = [];
    const embedded: number[] = [];
    const nats: number[] = [];
    for (let turn = 0; turn <= run.repeats; turn++) {
      const times = [
        await time(runNode),
        await startTime(run, "embedded", []),
        await startTime(run, "nats", ["--nats", server.url]),
      ] as const;
      if (turn === 0) continue;
      bare.push(times[0]);
      embedded.push(times[1]);
      nats.push(times[2]);
    }
    const idleEmbedded = await idleMemory(run, "embedded", []);
    const idleNats = await idleMemory(run, "nats", ["--nats", server.url]);
    await server.stop();
    return {
      measurements: [
        { name: "node -e 0", unit: "ms", values: bare },
        { name: "embedded ready", unit: "ms", values: embedded },
        { name: "nats ready", unit: "ms", values: nats },
        { name: "embedded, idle", unit: "MiB", values: [idleEmbedded] },
        { name: "nats, idle", unit: "MiB", values: [idleNats] },
      ],
      comparisons: [
        { name: "embedded: ms above node -e 0", value: median(embedded) - median(bare), target: { atMost: 400 } },
        { name: "nats: ms above node -e 0", value: median(nats) - median(bare), target: { atMost: 400 } },
        { name: "MiB idle, embedded", value: idleEmbedded, target: { atMost: 120 } },
        { name: "MiB idle, nats", value: idleNats, target: { atMost: 120 } },
      ],
    };
  },
};

async function runNode(): Promise<void> {
  const child = await Child.start([process.execPath, "-e", "0"]);
  await child.exited;
}

function agent(run: Run, flavor: string, args: readonly string[]): Promise<MeasuredAgent> {
  return measuredAgent(run, { label: "start", flavor, args });
}

async function startTime(run: Run, flavor: string, args: readonly string[]): Promise<number> {
  let started: MeasuredAgent | undefined;
  const elapsed = await time(async () => {
    started = await agent(run, flavor, args);
  });
  await started?.stop();
  return elapsed;
}

async function idleMemory(run: Run, flavor: string, args: readonly string[]): Promise<number> {
  const idle = await agent(run, flavor, args);
  await pause(sized(run, restTime));
  const resident = idle.residentMiB();
  await idle.stop();
  return resident;
}
