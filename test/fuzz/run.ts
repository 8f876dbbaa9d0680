// npm run fuzz [-- --inputs N] [--seed N] [--target NAME]: coverage-guided, every target in a thread that is watched.

import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fuzz, type Outcome } from "./fuzz.js";
import { targets } from "./targets.js";

interface Assignment {
  readonly name: string;
  readonly inputs: number;
  readonly seed: number;
  /** Length of the present input, then the input. */
  readonly present: SharedArrayBuffer;
}

interface Report extends Outcome {
  /** Bytes of heap after the work, beyond those before it. */
  readonly growth: number;
}

/** An input that has not ended after so long hangs, ms. */
const HANGS = 20_000;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

if (isMainThread) {
  const { values } = parseArgs({
    options: { inputs: { type: "string", default: "1000000" }, seed: { type: "string" }, target: { type: "string" } },
  });
  const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  say(`seed ${seed}`);
  let isGood = true;
  for (const { name } of chosen) {
    isGood = (await watched(name, Math.ceil(Number(values.inputs) / chosen.length), seed)) && isGood;
  }
  process.exit(isGood ? 0 : 1);
} else {
  const { name, inputs, seed, present } = workerData as Assignment;
  const [length, bytes] = [new Uint32Array(present, 0, 2), new Uint8Array(present, 8)];
  const begin = (input: Uint8Array): void => {
    bytes.set(input.subarray(0, bytes.length));
    length[0] = Math.min(input.length, bytes.length);
    length[1]! += 1;
  };
  const target = targets.find((one) => one.name === name)!;
  await fuzz(target, { inputs: 2_000, seed: seed + 1, begin });
  collect();
  const before = process.memoryUsage().heapUsed;
  const outcome = await fuzz(target, { inputs, seed, guided: true, begin });
  collect();
  const growth = process.memoryUsage().heapUsed - before;
  parentPort?.postMessage({ ...outcome, growth } satisfies Report);
}

/** Runs one target in a thread, and says what came of it. Resolves with whether that was good. */
function watched(name: string, inputs: number, seed: number): Promise<boolean> {
  const present = new SharedArrayBuffer(8 + 8192);
  const length = new Uint32Array(present, 0, 2);
  const began = performance.now();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { name, inputs, seed, present } satisfies Assignment,
  });
  return new Promise((resolve, reject) => {
    let seen = length[1];
    const timer = setInterval(() => {
      if (length[1] === seen) {
        const input = Buffer.from(present, 8, length[0]).toString("base64");
        say(`${name}: does not end: ${input}`);
        void worker.terminate().then(() => resolve(false));
      }
      seen = length[1];
    }, HANGS);
    worker.once("error", reject);
    worker.once("exit", () => clearInterval(timer));
    worker.once("message", ({ findings, corpus, blocks, slowest, growth }: Report) => {
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      const megabytes = (growth / 1024 / 1024).toFixed(1);
      say(
        `${name}: ${inputs} inputs in ${seconds} s, ${blocks} blocks, corpus ${corpus}, slowest ${slowest.toFixed(1)} ms, heap +${megabytes} MiB, ${findings.length} findings`,
      );
      for (const { problem, input } of findings) say(`  ${problem}\n  ${input}`);
      resolve(findings.length === 0);
    });
  });
}
