import { Session } from "node:inspector/promises";
import { mutated, Random } from "./mutate.js";
import type { Target } from "./targets.js";

/** An input that takes longer is a fault, ms of processor time; the best of some runs counts. */
const SLOWEST = 100;

export interface Finding {
  readonly target: string;
  readonly problem: string;
  /** base64. */
  readonly input: string;
}

export interface Outcome {
  readonly inputs: number;
  readonly corpus: number;
  /** Functions and blocks of our code that ran. */
  readonly blocks: number;
  /** ms */
  readonly slowest: number;
  readonly findings: readonly Finding[];
}

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  /** Keep what reaches code that nothing before it had reached. */
  readonly guided?: boolean;
  /** Called before every input, so that somebody else can tell which one never ended. */
  readonly begin?: (input: Uint8Array) => void;
}

/** Inputs between two looks at the coverage. */
const BATCH = 64;

export async function fuzz(target: Target, options: FuzzOptions): Promise<Outcome> {
  const random = new Random(options.seed);
  const corpus: Uint8Array[] = [...target.seeds];
  const findings: Finding[] = [];
  let slowest = 0;
  const one = async (input: Uint8Array): Promise<void> => {
    options.begin?.(input);
    const { problem, ms } = await attempt(target, input);
    slowest = Math.max(slowest, ms);
    if (problem !== undefined)
      findings.push({ target: target.name, problem, input: Buffer.from(input).toString("base64") });
  };
  const coverage = options.guided === true ? await Coverage.start() : undefined;
  for (const seed of target.seeds) await one(seed);
  await coverage?.grown();
  for (let done = 0; done < options.inputs && findings.length < 20; done += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, options.inputs - done) }, () =>
      mutated(random.of(corpus), random, corpus, target.words),
    );
    for (const input of batch) await one(input);
    if (coverage === undefined || !(await coverage.grown())) continue;
    // Which of them it was is found by asking each again; they are few, and fewer with time.
    corpus.push(random.of(batch), random.of(batch), random.of(batch), random.of(batch));
  }
  const blocks = coverage?.size ?? 0;
  await coverage?.stop();
  return { inputs: options.inputs, corpus: corpus.length, blocks, slowest, findings };
}

async function attempt(
  target: Target,
  input: Uint8Array,
): Promise<{ readonly problem: string | undefined; readonly ms: number }> {
  let best = Number.POSITIVE_INFINITY;
  for (let time = 0; time < 3 && best > SLOWEST; time++) {
    const before = process.cpuUsage();
    const began = performance.now();
    try {
      await target.run(input);
    } catch (error) {
      return { problem: error instanceof Error ? (error.stack ?? error.message) : String(error), ms: 0 };
    }
    // Asking for the processor's time costs more than most inputs.
    const wall = performance.now() - began;
    if (wall <= SLOWEST) return { problem: undefined, ms: wall };
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, wall, (user + system) / 1000);
  }
  return { problem: best > SLOWEST ? `takes ${best.toFixed(0)} ms` : undefined, ms: best };
}

/** What of our own code has run, as V8 counts it. */
class Coverage {
  private readonly seen = new Set<string>();

  private constructor(private readonly session: Session) {}

  static async start(): Promise<Coverage> {
    const session = new Session();
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    return new Coverage(session);
  }

  get size(): number {
    return this.seen.size;
  }

  /** Has something run since the last look that never ran before? */
  async grown(): Promise<boolean> {
    const before = this.seen.size;
    const { result } = await this.session.post("Profiler.takePreciseCoverage");
    for (const { url, functions } of result) {
      if (!/\/dist\/(core|plugins|proto)\/|\/yaml\/|\/protobufjs\//.test(url)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count > 0) this.seen.add(`${url}:${startOffset}-${endOffset}`);
        }
      }
    }
    return this.seen.size > before;
  }

  async stop(): Promise<void> {
    await this.session.post("Profiler.stopPreciseCoverage");
    this.session.disconnect();
  }
}
