// The thread of a LivenessAsker: asks again and again, so that the work of whoever measures is not in the way.
import { request } from "node:http";
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";

const { socketPath } = workerData as { readonly socketPath: string };
/** Of answers; ms. */
let longest = 0;
/** When the question was asked that has no answer yet. */
let asked: number | undefined;

/** Milliseconds until the answer, or `undefined` where nobody listens. */
function ask(): Promise<number | undefined> {
  const began = performance.now();
  asked = began;
  return new Promise((resolve) => {
    const call = request({ socketPath, path: "/liveness", agent: false }, (response) => {
      response.resume().once("end", () => resolve(performance.now() - began));
    });
    call.once("error", () => resolve(undefined)).end();
  });
}

parentPort?.on("message", () => {
  const waiting = asked === undefined ? 0 : performance.now() - asked;
  parentPort?.postMessage(Math.max(longest, waiting));
  longest = 0;
});

for (;;) {
  const waited = await ask();
  asked = undefined;
  longest = Math.max(longest, waited ?? 0);
  await setTimeout(waited === undefined ? 5 : 1);
}
