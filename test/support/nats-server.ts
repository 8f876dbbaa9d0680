import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Broker, runBroker } from "./broker.js";
import { Child } from "./child.js";
import { freePort, freePorts } from "./ports.js";
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

/** Servers that are one NATS, each of which may be broken by itself. */
export interface NatsCluster {
  /** Addresses of all, separated by commas. */
  readonly url: string;
  /** By the name that JetStream calls it by. */
  node(name: string): Broker;
  stop(): Promise<void>;
}

/** Starts three servers with JetStream. */
export async function startNatsCluster(): Promise<NatsCluster> {
  const ports = await freePorts(6);
  const routes = ports.slice(3).map((port) => `nats-route://127.0.0.1:${port}`);
  const names = ["one", "two", "three"];
  const brokers = await Promise.all(
    names.map((name, index) =>
      startNats({
        ...(ports[index] === undefined ? {} : { port: ports[index] }),
        configuration: `server_name: ${name}\ncluster { name: test, listen: "127.0.0.1:${ports[index + 3]}", routes: [${routes.join(", ")}] }`,
      }),
    ),
  );
  return {
    url: brokers.map(({ url }) => url).join(","),
    node(name) {
      const broker = brokers[names.indexOf(name)];
      if (broker === undefined) throw new RangeError(`there is no server ${name}`);
      return broker;
    },
    stop: async () => void (await Promise.all(brokers.map((broker) => broker.stop()))),
  };
}

function configuration(port: number, options: NatsOptions): string {
  const jetstream = options.jetstream === false ? "" : `jetstream { store_dir: "${options.storeDirectory ?? "."}" }\n`;
  return `listen: "127.0.0.1:${port}"\n${jetstream}${options.configuration ?? ""}\n`;
}
