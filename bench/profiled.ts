// Loaded into an agent with `--import`: leaves a CPU profile of the main thread in $TENUTO_BENCH_PROFILES when the process ends.
import { writeFileSync } from "node:fs";
import { type Profiler, Session } from "node:inspector";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";

const directory = process.env.TENUTO_BENCH_PROFILES;
if (isMainThread && directory !== undefined) {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.setSamplingInterval", { interval: 500 });
  session.post("Profiler.start");
  process.once("exit", () => {
    session.post("Profiler.stop", (error: Error | null, { profile }: Profiler.StopReturnType) => {
      if (error === null) writeFileSync(join(directory, `agent-${process.pid}.cpuprofile`), JSON.stringify(profile));
    });
  });
}
