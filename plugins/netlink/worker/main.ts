// The entry point of the worker thread.
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type { WorkerOptions } from "./protocol.js";

// The agent's start waits for this thread: `require` takes half the time of `import` to read its small files.
const require = createRequire(import.meta.url);
const { WorkerLoop } = require("./loop.js") as typeof import("./loop.js");

if (!parentPort) throw new Error("this file runs as a worker thread");
new WorkerLoop(parentPort, workerData as WorkerOptions).run();
