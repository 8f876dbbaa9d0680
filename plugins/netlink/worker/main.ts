// The entry point of the worker thread. Its options come as the first message, since it may be started before they are known.
import { createRequire } from "node:module";
import { parentPort } from "node:worker_threads";
import type { WorkerOptions } from "./protocol.js";

// The agent's start waits for this thread: `require` takes half the time of `import` to read its small files.
const require = createRequire(import.meta.url);
const { WorkerLoop } = require("./loop.js") as typeof import("./loop.js");

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");
port.once("message", (options: WorkerOptions) => new WorkerLoop(port, options).run());
