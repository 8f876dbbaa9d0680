/** One measured quantity of a benchmark, over all its repeats. */
export interface Measurement {
  readonly name: string;
  readonly unit: "ms" | "us" | "per second" | "bytes" | "MiB" | "lost";
  readonly values: readonly number[];
}

/** Two medians of the same run compared: machines and their load differ, a ratio or difference of one run less so. */
export interface Comparison {
  readonly name: string;
  readonly value: number;
  /** What is hoped for; `undefined` where nothing was promised. */
  readonly target?: { readonly atMost: number } | { readonly atLeast: number };
}

/** What a run of a benchmark found. */
export interface Outcome {
  readonly measurements: readonly Measurement[];
  readonly comparisons: readonly Comparison[];
}

/** How a benchmark is run. */
export interface Run {
  readonly repeats: number;
  /** Of the full amount of work; 1 but in tests. */
  readonly share: number;
  /** Where the agents under measurement leave CPU profiles when they end. */
  readonly profiles?: string | undefined;
}

export interface Benchmark {
  readonly name: string;
  /** What is measured and how, so that the figures can be judged without reading the code. */
  readonly method: string;
  readonly repeats: number;
  run(run: Run): Promise<Outcome>;
}

/** So many things as this run has of `full`. */
export function sized({ share }: Run, full: number): number {
  return Math.max(1, Math.round(full * share));
}

/** The value below which a share of the values lies: 0.5 is the median. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** Milliseconds that an action takes. */
export async function time(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** Does a comparison reach its target? `undefined` when it has none. */
export function isReached({ value, target }: Comparison): boolean | undefined {
  if (target === undefined) return undefined;
  return "atMost" in target ? value <= target.atMost : value >= target.atLeast;
}
