// Loaded into an agent with `--import`: writes every long turn of its event loop to the file $TENUTO_BENCH_STALLS, a line each:
// when it ended (ms of the monotonic clock, which all processes share), how long it took, and how much of the processor the main thread had in it (ms).
import { appendFileSync, openSync, readSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

/** Between two looks, ms. */
const INTERVAL = 5;
/** A turn that is told, ms. */
const LONG = 25;

/** ms */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const file = process.env.TENUTO_BENCH_STALLS;
if (isMainThread && file !== undefined) {
  const statistics = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  const text = Buffer.alloc(64);
  const processorTime = (): number => {
    const length = readSync(statistics, text, 0, text.length, 0);
    return Number.parseInt(text.toString("latin1", 0, length), 10) / 1e6;
  };
  let [before, used] = [performance.now(), processorTime()];
  setInterval(() => {
    const [now, usedNow] = [performance.now(), processorTime()];
    const [took, worked] = [now - before, usedNow - used];
    if (took > LONG) appendFileSync(file, `${monotonic().toFixed(1)} ${took.toFixed(1)} ${worked.toFixed(1)}\n`);
    [before, used] = [now, usedNow];
  }, INTERVAL).unref();
}
