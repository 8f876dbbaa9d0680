import type { Benchmark, Comparison, Measurement, Outcome, Run } from "./benchmark.js";
import { median, time } from "./benchmark.js";
import * as routes from "./routes.js";
import { makeUplink, onNats, type Scene } from "./scene.js";

const sizes = [1_000, 10_000, 100_000];
const target = { atMost: 1.1 };

export const scaling: Benchmark = {
  name: "scaling",
  method:
    "1,000, 10,000 and 100,000 routes added by one transaction over NATS, resynced downstream and deleted by one transaction, at one agent, in " +
    "turns; the first turn is not counted. The exponent e of the best fit of time = c × count^e, from the medians: 1 is linear.",
  repeats: 3,
  run: (run) => onNats(run, (scene) => measure(run, scene)),
};

async function measure(run: Run, scene: Scene): Promise<Outcome> {
  await makeUplink(scene);
  const { client } = scene;
  const counts = sizes.map((size) => Math.max(1, Math.round(size * run.share)));
  const figures = new Map<string, number[]>();
  const note = (work: string, count: number, ms: number): void => {
    const name = `${work} ${count}`;
    figures.set(name, [...(figures.get(name) ?? []), ms]);
  };
  for (let turn = 0; turn <= run.repeats; turn++) {
    for (const count of counts) {
      const networks = routes.destinations(count);
      const adding = client.prepare(networks.map((network) => routes.routeChange(network)));
      const added = await time(() => client.commit(adding));
      const resynced = await time(() => client.resyncDownstream());
      const deleting = client.prepare(networks.map(routes.routeRemoval));
      const deleted = await time(() => client.commit(deleting));
      if (turn === 0) continue;
      note("add", count, added);
      note("resync", count, resynced);
      note("delete", count, deleted);
    }
  }
  const measurements = Array.from(figures, ([name, values]): Measurement => ({ name, unit: "ms", values }));
  const comparisons = ["add", "resync", "delete"].map((work): Comparison => {
    const medians = counts.map((count) => median(figures.get(`${work} ${count}`) ?? []));
    return { name: `exponent of ${work}`, value: exponent(counts, medians), target };
  });
  return { measurements, comparisons };
}

/** The slope of the line of least squares through the logarithms. */
function exponent(counts: readonly number[], times: readonly number[]): number {
  const xs = counts.map(Math.log);
  const ys = times.map(Math.log);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(xs), mean(ys)];
  const above = xs.reduce((sum, x, i) => sum + (x - meanX) * ((ys[i] ?? 0) - meanY), 0);
  const below = xs.reduce((sum, x) => sum + (x - meanX) ** 2, 0);
  return above / below;
}
