/** Every benchmark runs, here with little of everything: the figures mean nothing, but all of them are there. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { drawPlot } from "#bench/plot.js";
import { Child } from "#test/support/child.js";
import { kafkaProgram } from "#test/support/programs.js";
import { projectRoot } from "#test/support/project.js";

const benchmarks = [
  "route-transaction",
  "route-change",
  "veth-pairs",
  "event-to-subscriber",
  "resync",
  "start",
  "link-bursts",
  "file-routes",
  "fleet",
  "scaling",
  "netlink-routes",
  "netlink-event",
];

interface Row {
  readonly name: string;
  readonly measurements: readonly { readonly name: string; readonly median: number | null; readonly samples: number }[];
  readonly comparisons: readonly { readonly name: string; readonly value: number | null }[];
}

async function bench(...parameters: readonly string[]): Promise<Child> {
  const child = await Child.start([process.execPath, join(projectRoot, "dist/bench/run.js"), ...parameters]);
  await child.exited;
  return child;
}

const withKafka = kafkaProgram() !== undefined;

/** All by one command, as `npm run bench` does it; each is a process of its own there. */
let rows: readonly Row[] = [];
let log = "";
test.before(async () => {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-bench-test-"));
  const file = join(directory, "figures.json");
  const names = [...benchmarks, ...(withKafka ? ["kafka-routes"] : [])];
  const child = await bench(...names, "--share", "0.001", "--repeats", "1", "--json", file);
  log = child.log;
  const text = await readFile(file, "utf8").catch(() => '{ "benchmarks": [] }');
  await rm(directory, { recursive: true });
  rows = (JSON.parse(text) as { readonly benchmarks: readonly Row[] }).benchmarks;
});

function leavesFigures(t: ExecutionContext, name: string): void {
  const row = rows.find((each) => each.name === name);
  t.assert(row !== undefined && row.measurements.length > 0, log);
  for (const { name: what, median } of row?.measurements ?? []) t.assert(Number.isFinite(median), `${what}: ${log}`);
  for (const { name: what, value } of row?.comparisons ?? []) t.assert(Number.isFinite(value), `${what}: ${log}`);
}

for (const name of benchmarks) {
  test(`the benchmark ${name} runs and leaves its figures`, (t) => leavesFigures(t, name));
}

test.serial("the scaling row is drawn as a plot", (t) => {
  const plot = drawPlot({
    title: "growth",
    x: "count",
    y: "ms",
    series: [
      {
        name: "linear",
        points: [
          [10, 5],
          [100, 50],
          [1_000, 500],
        ],
      },
    ],
  });
  const [, points = ""] = /<polyline points="([^"]*)"/.exec(plot) ?? [];
  const [first = [], second = [], third = []] = points.split(" ").map((point) => point.split(",").map(Number));
  const slope = (a: readonly number[], b: readonly number[]) =>
    ((b[1] ?? 0) - (a[1] ?? 0)) / ((b[0] ?? 0) - (a[0] ?? 0));
  t.true(Math.abs(slope(first, second) - slope(second, third)) < 0.01, "what grows with the work is a straight line");
  t.true(slope(first, second) < 0, "and goes up");
});

(withKafka ? test : test.skip)("the benchmark kafka-routes runs and leaves its figures", (t) =>
  leavesFigures(t, "kafka-routes"),
);

test.serial("an unknown benchmark is refused, and those that there are are named", async (t) => {
  const child = await bench("nothing");
  t.regex(child.stderr, /no benchmark is called nothing; there are: route-transaction, /);
});
