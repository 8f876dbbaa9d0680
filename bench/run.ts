// npm run bench -- [NAME…] [--profile]: runs benchmarks, says how they go on stderr, and prints the figures as JSON on stdout.
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Benchmark } from "./benchmark.js";
import { benchmarks } from "./benchmarks.js";
import { updateDocument } from "./document.js";
import { machine, type Row, report, summary } from "./report.js";
import { inOwnSandbox, inSandbox } from "./sandbox.js";

const usage = "usage: npm run bench -- [NAME…] [--profile] [--share 0.01] [--repeats N] [--json FILE] [--document]";

interface Options {
  readonly profile: boolean;
  readonly share: string;
  readonly repeats?: string | undefined;
  readonly json?: string | undefined;
  readonly document: boolean;
}

async function main(): Promise<number> {
  const { values: options, positionals: names } = parseArgs({
    allowPositionals: true,
    options: {
      profile: { type: "boolean", default: false },
      share: { type: "string", default: "1" },
      repeats: { type: "string" },
      json: { type: "string" },
      document: { type: "boolean", default: false },
    },
  });
  const unknown = names.filter((name) => !benchmarks.some((benchmark) => benchmark.name === name));
  if (unknown.length > 0) {
    const known = benchmarks.map(({ name }) => name).join(", ");
    console.error(`no benchmark is called ${unknown.join(", ")}; there are: ${known}\n${usage}`);
    return 2;
  }
  const chosen = benchmarks.filter(({ name }) => names.length === 0 || names.includes(name));
  if (!inSandbox()) return await runAll(chosen, options);
  for (const benchmark of chosen) console.log(JSON.stringify(await runOne(benchmark, options)));
  return 0;
}

/** Each in a process and in namespaces of its own. One that fails does not keep the others from running. */
async function runAll(chosen: readonly Benchmark[], options: Options): Promise<number> {
  const start = performance.now();
  const rows: Row[] = [];
  const failed: string[] = [];
  const passedOn = ["--share", options.share, ...(options.profile ? ["--profile"] : [])];
  if (options.repeats !== undefined) passedOn.push("--repeats", options.repeats);
  for (const { name, method } of chosen) {
    console.error(`${name}: ${method}`);
    const began = performance.now();
    try {
      const row = JSON.parse(await inOwnSandbox([name, ...passedOn])) as Row;
      console.error(`${summary(row)}\n  took ${minutesSince(began)}`);
      rows.push(row);
      if (options.document) updateDocument("docs/performance.md", machine(), [row]);
    } catch (error) {
      console.error(`  ${name} failed: ${error instanceof Error ? error.message : String(error)}`);
      failed.push(name);
    }
  }
  console.error(`all of it took ${minutesSince(start)}`);
  const json = JSON.stringify({ machine: machine(), share: Number(options.share), benchmarks: rows }, undefined, 2);
  if (options.json === undefined) console.log(json);
  else writeFileSync(options.json, `${json}\n`);
  return failed.length === 0 ? 0 : 1;
}

function minutesSince(began: number): string {
  const seconds = Math.round((performance.now() - began) / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

async function runOne(benchmark: Benchmark, options: Options): Promise<Row> {
  const repeats = options.repeats === undefined ? benchmark.repeats : Number(options.repeats);
  const profiles = options.profile ? resolve("profiles") : undefined;
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
  return report(benchmark, repeats, await benchmark.run({ repeats, share: Number(options.share), profiles }));
}

process.exitCode = await main();
