/** Every benchmark runs, here with little of everything: the figures mean nothing, but all of them are there. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
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

async function runsSmall(
  t: { readonly assert: (value: unknown, message?: string) => unknown },
  name: string,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-bench-test-"));
  const file = join(directory, "figures.json");
  const child = await bench(name, "--share", "0.001", "--repeats", "1", "--json", file);
  const text = await readFile(file, "utf8").catch(() => "");
  await rm(directory, { recursive: true });
  t.assert(text !== "", child.log);
  const [row] = (JSON.parse(text) as { readonly benchmarks: readonly Row[] }).benchmarks;
  t.assert(row?.name === name && row.measurements.length > 0, child.log);
  for (const { name: what, median } of row?.measurements ?? [])
    t.assert(Number.isFinite(median), `${what}: ${child.log}`);
  for (const { name: what, value } of row?.comparisons ?? []) t.assert(Number.isFinite(value), `${what}: ${child.log}`);
}

for (const name of benchmarks) {
  test.serial(`the benchmark ${name} runs and leaves its figures`, (t) => runsSmall(t, name));
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

const withKafka = kafkaProgram() === undefined ? test.serial.skip : test.serial;
withKafka("the benchmark kafka-routes runs and leaves its figures", (t) => runsSmall(t, "kafka-routes"));

test.serial("an unknown benchmark is refused, and those that there are are named", async (t) => {
  const child = await bench("nothing");
  t.regex(child.stderr, /no benchmark is called nothing; there are: route-transaction, /);
});
