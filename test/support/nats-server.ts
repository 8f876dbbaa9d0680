import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Broker, runBroker } from "./broker.js";
import { Child } from "./child.js";
import { freePort } from "./ports.js";
import { missing, natsServerProgram } from "./programs.js";

export interface NatsOptions {
  /** Port on 127.0.0.1; a free one when left out. */
  readonly port?: number;
  /** JetStream on, with its data in a temporary directory. Default true. */
  readonly jetstream?: boolean;
  /** Where JetStream keeps its data; in the broker's own directory when left out. */
  readonly storeDirectory?: string;
  /** More of nats-server's configuration language: `authorization`, `tls`, `max_payload` … */
  readonly configuration?: string;
}

/** Starts a nats-server and returns when it accepts clients (about 50 ms). */
export async function startNats(options: NatsOptions = {}): Promise<Broker> {
  const program = natsServerProgram() ?? missing("nats-server");
  const port = options.port ?? (await freePort());
  const file = "server.conf";
  return runBroker({
    url: `nats://127.0.0.1:${port}`,
    prepare: (directory) => writeFile(join(directory, file), configuration(port, options)),
    start: (directory) => Child.start([program, "--config", file], { cwd: directory }),
    ready: /Server is ready/,
    startTimeout: 60_000,
  });
}

function configuration(port: number, options: NatsOptions): string {
  const jetstream = options.jetstream === false ? "" : `jetstream { store_dir: "${options.storeDirectory ?? "."}" }\n`;
  return `listen: "127.0.0.1:${port}"\n${jetstream}${options.configuration ?? ""}\n`;
}
