import { cpus, loadavg, release, totalmem } from "node:os";
import { type Benchmark, type Comparison, isReached, median, type Outcome, percentile } from "./benchmark.js";

/** What the figures of a benchmark came to. */
export interface Row {
  readonly name: string;
  readonly method: string;
  readonly repeats: number;
  readonly measurements: readonly {
    readonly name: string;
    readonly unit: string;
    readonly median: number;
    readonly p99: number;
    readonly minimum: number;
    readonly samples: number;
  }[];
  readonly comparisons: readonly (Comparison & { readonly reached: boolean | undefined })[];
}

/** Where the figures come from. */
export function machine() {
  const processors = cpus();
  return {
    node: process.version,
    kernel: release(),
    processor: processors[0]?.model ?? "unknown",
    cpus: processors.length,
    /** Of the last minute: how busy the machine was, with other things too. */
    load: rounded(loadavg()[0] ?? 0),
    memoryGiB: rounded(totalmem() / 2 ** 30),
  };
}

export function report({ name, method }: Benchmark, repeats: number, { measurements, comparisons }: Outcome): Row {
  return {
    name,
    method,
    repeats,
    measurements: measurements.map((measurement) => ({
      name: measurement.name,
      unit: measurement.unit,
      median: rounded(median(measurement.values)),
      p99: rounded(percentile(measurement.values, 0.99)),
      minimum: rounded(Math.min(...measurement.values)),
      samples: measurement.values.length,
    })),
    comparisons: comparisons.map((comparison) => ({
      ...comparison,
      value: rounded(comparison.value),
      reached: isReached(comparison),
    })),
  };
}

/** A row for people, some lines long. */
export function summary({ measurements, comparisons }: Row): string {
  return [
    ...measurements.map(({ name, unit, ...figures }) =>
      figures.samples === 1
        ? `  ${name}: ${figures.median} ${unit}`
        : `  ${name}: median ${figures.median} ${unit}, p99 ${figures.p99} ${unit} (${figures.samples})`,
    ),
    ...comparisons.map(({ name, value, target, reached }) => `  ${name}: ${value}${verdict(target, reached)}`),
  ].join("\n");
}

function verdict(target: Comparison["target"], reached: boolean | undefined): string {
  if (target === undefined) return "";
  const desired = "atMost" in target ? `at most ${target.atMost}` : `at least ${target.atLeast}`;
  return ` (target: ${desired}${reached === true ? "" : ", missed"})`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
