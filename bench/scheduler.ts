import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Descriptor, Scheduler, TransactionSpec } from "#core/scheduler/api/scheduler.js";
import { createScheduler } from "#core/scheduler/index.js";
import { type Benchmark, type Measurement, median, type Outcome, time } from "./benchmark.js";

const many = 100_000;
const chainLength = 1_000;
const ports = 1_000;

interface Value {
  readonly id: number;
  /** Key of the value that this one depends on. */
  readonly after?: string;
  /** Ports of a bridge domain, each a derived value that depends on its interface. */
  readonly interfaces?: readonly string[];
}

type Changes = readonly (readonly [string, Value])[];

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** A southbound that answers every call in the next turn of the microtask queue: what is measured is the scheduler. */
class Southbound {
  readonly values = new Map<string, Value>();
  calls = 0;

  scheduler(): Scheduler {
    const scheduler = createScheduler();
    scheduler.registerDescriptor({
      ...this.descriptor("value/"),
      derivedValues: (key, { interfaces = [] }) =>
        interfaces.map((each, id) => ({ key: `port/${key}/${each}`, value: { id, after: each } })),
      retrieve: async () => Array.from(this.values, ([key, value]) => ({ key, value, origin: "northbound" as const })),
    });
    scheduler.registerDescriptor(this.descriptor("port/"));
    return scheduler;
  }

  private descriptor(prefix: string): Descriptor<Value> {
    return {
      name: prefix,
      prefix,
      create: (key, value) => this.put(key, value),
      update: (key, _old, value) => this.put(key, value),
      delete: async (key) => {
        this.calls++;
        this.values.delete(key);
      },
      dependencies: (_key, { after }) => (after === undefined ? [] : [{ label: after, key: after }]),
    };
  }

  private async put(key: string, value: Value): Promise<void> {
    this.calls++;
    if (key.startsWith("value/")) this.values.set(key, value);
  }
}

async function commit(scheduler: Scheduler, changes: TransactionSpec["changes"]): Promise<void> {
  const { error, values } = await scheduler.commit({ changes });
  if (error !== "") throw new Error(error);
  const bad = values.find(({ state }) => state !== "CONFIGURED");
  if (bad !== undefined) throw new Error(`${bad.key} is ${bad.state}`);
}

function independent(count: number): Changes {
  return Array.from({ length: count }, (_, id) => [`value/${id}`, { id }] as const);
}

function chain(): Changes {
  return Array.from({ length: chainLength }, (_, id) => [
    `value/${id}`,
    id === 0 ? { id } : { id, after: `value/${id - 1}` },
  ]);
}

function bridgeDomain(): Changes {
  const interfaces = Array.from({ length: ports }, (_, id) => [`value/port${id}`, { id }] as const);
  return [["value/bridge", { id: ports, interfaces: interfaces.map(([key]) => key) }], ...interfaces];
}

/** Values per second with which `changes` go into an empty scheduler. */
async function rate(changes: Changes): Promise<number> {
  const scheduler = new Southbound().scheduler();
  const elapsed = await time(() => commit(scheduler, changes));
  await scheduler.close();
  return (changes.length / elapsed) * 1000;
}

async function rates(changes: Changes, repeats: number): Promise<readonly number[]> {
  const values: number[] = [];
  for (let turn = 0; turn <= repeats; turn++) {
    collectGarbage();
    const value = await rate(changes);
    if (turn > 0) values.push(value);
  }
  return values;
}

/** Bytes of heap that the scheduler takes for each value, its history included and the values themselves not. */
async function bytesPerValue(): Promise<number> {
  const changes = independent(many);
  const southbound = new Southbound();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const scheduler = southbound.scheduler();
  await commit(scheduler, changes);
  collectGarbage();
  const after = process.memoryUsage().heapUsed;
  await scheduler.close();
  return (after - before) / many;
}

export const schedulerLoad: Benchmark = {
  name: "scheduler-load",
  method:
    "Values that an empty scheduler brings from one transaction to CONFIGURED per second, against a southbound in memory that answers at once: 100,000 " +
    "independent ones; a chain of 1,000 in which each depends on the one before; 1,000 interfaces and a bridge domain with a derived port for each. The " +
    "first turn of each is not counted. And the heap that each of the 100,000 takes in the end, with the default history and timeline.",
  repeats: 7,

  async run({ repeats }): Promise<Outcome> {
    const measurements: Measurement[] = [];
    for (const [name, changes] of [
      ["100,000 independent", independent(many)],
      ["chain of 1,000", chain()],
      ["bridge domain of 1,001", bridgeDomain()],
    ] as const) {
      measurements.push({ name, unit: "per second", values: await rates(changes, repeats) });
    }
    measurements.push({ name: "heap per value", unit: "bytes", values: [await bytesPerValue()] });
    const [independentRate, , , heap] = measurements.map(({ values }) => median(values));
    return {
      measurements,
      comparisons: [
        { name: "independent values per second", value: independentRate ?? 0, target: { atLeast: 150_000 } },
        { name: "bytes of heap per value", value: heap ?? 0, target: { atMost: 2_048 } },
      ],
    };
  },
};

/** Microseconds of each of many transactions that change one value among `count`. */
async function oneChange(count: number, repeats: number): Promise<readonly number[]> {
  const southbound = new Southbound();
  const scheduler = southbound.scheduler();
  await commit(scheduler, independent(count));
  collectGarbage();
  const values: number[] = [];
  for (let turn = 0; turn < repeats + 500; turn++) {
    const change = [[`value/${turn % count}`, { id: -1 - turn }]] as const;
    const elapsed = await time(() => commit(scheduler, change));
    if (turn >= 500) values.push(elapsed * 1000);
  }
  await scheduler.close();
  return values;
}

export const schedulerChange: Benchmark = {
  name: "scheduler-change",
  method:
    "One transaction that changes one value in place, from commit to result, in a graph of 100,000 independent values and in one of 100. 500 changes " +
    "before are not counted.",
  repeats: 5000,

  async run({ repeats }): Promise<Outcome> {
    const few = await oneChange(100, repeats);
    const among = await oneChange(many, repeats);
    return {
      measurements: [
        { name: "among 100", unit: "us", values: few },
        { name: "among 100,000", unit: "us", values: among },
      ],
      comparisons: [{ name: "among 100,000 / among 100", value: median(among) / median(few), target: { atMost: 1.5 } }],
    };
  },
};

export const schedulerResync: Benchmark = {
  name: "scheduler-resync",
  method:
    "A downstream resync of 100,000 values that are all as they should be: everything is read anew and compared, and nothing may be planned. The first " +
    "turn is not counted.",
  repeats: 7,

  async run({ repeats }): Promise<Outcome> {
    const southbound = new Southbound();
    const scheduler = southbound.scheduler();
    await commit(scheduler, independent(many));
    const values: number[] = [];
    for (let turn = 0; turn <= repeats; turn++) {
      const calls = southbound.calls;
      const elapsed = await time(() => scheduler.resyncDownstream());
      if (southbound.calls !== calls) throw new Error("a resync of a settled system called descriptors");
      if (turn > 0) values.push((many / elapsed) * 1000);
    }
    await scheduler.close();
    return { measurements: [{ name: "values read and compared", unit: "per second", values }], comparisons: [] };
  },
};
