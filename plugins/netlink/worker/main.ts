// The entry point of the worker thread.
import { parentPort, workerData } from "node:worker_threads";
import { WorkerLoop } from "./loop.js";
import type { WorkerOptions } from "./protocol.js";

if (!parentPort) throw new Error("this file runs as a worker thread");
new WorkerLoop(parentPort, workerData as WorkerOptions).run();
