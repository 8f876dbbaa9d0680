/**
 * The brokers that all tests of a run share, held by the process that runs ava. Each is started by the first test that
 * connects to it, so that a run without such a test pays nothing.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, RELAY_VARIABLE, startKafka, startNats } from "./brokers.js";
import { freePort } from "./ports.js";
import { hasContainerEngine, kafkaProgram, natsServerProgram, type Say } from "./programs.js";
import { projectRoot } from "./project.js";
import { endpointsOf, type Relay, relayFrom } from "./relay.js";

export interface SharedBrokers {
  /** For the environment of the tests. */
  readonly environment: Readonly<Record<string, string>>;
  /** False when this machine has no way to run Kafka. */
  readonly kafka: boolean;
  /** Stops what was started. */
  close(): Promise<void>;
}

type Kind = "nats" | "kafka";

/** Where a broker comes from: how to start it, and how to stop it. */
interface Origin {
  readonly description: string;
  readonly addresses: string;
  start(): Promise<() => Promise<unknown>>;
}

const KINDS = {
  nats: { variable: "NATS_URL", port: 4222, program: natsServerProgram, start: startNats },
  kafka: { variable: "KAFKA_BROKERS", port: 9092, program: kafkaProgram, start: startKafka },
} as const;

export async function openSharedBrokers(say: Say): Promise<SharedBrokers> {
  const directory = await mkdtemp(join(tmpdir(), "tenuto-relay-"));
  const environment: Record<string, string> = { [RELAY_VARIABLE]: directory };
  const closing: (() => Promise<unknown>)[] = [];

  const open = async (kind: Kind): Promise<boolean> => {
    const origin = await originOf(kind);
    if (origin === undefined) return false;
    say(`${kind}: ${origin.description}`);
    const start = once(async () => {
      const startedAt = performance.now();
      closing.push(await origin.start());
      say(`${kind}: a test asked for it; up after ${Math.round(performance.now() - startedAt)} ms`);
    });
    const { variable, port } = KINDS[kind];
    environment[variable] = origin.addresses;
    const relays = await Promise.all(
      endpointsOf(origin.addresses, port).map((endpoint) => relayFrom(directory, endpoint, start)),
    );
    closing.push(...relays.map((relay: Relay) => () => relay.close()));
    return true;
  };

  await open("nats");
  const kafka = await open("kafka");
  return {
    environment,
    kafka,
    async close() {
      for (const step of closing.reverse()) await step();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function originOf(kind: Kind): Promise<Origin | undefined> {
  const { variable, program, start } = KINDS[kind];
  const given = process.env[variable];
  if (given) {
    return { description: `${given} (${variable})`, addresses: given, start: async () => async () => undefined };
  }
  const port = await freePort();
  const addresses = kind === "nats" ? `nats://127.0.0.1:${port}` : `127.0.0.1:${port}`;
  if (hasContainerEngine()) {
    return { description: "a container of docker-compose.yml", addresses, start: () => composeUp(kind, port) };
  }
  if (program() === undefined) return undefined;
  return {
    description: "a local one",
    addresses,
    async start() {
      const broker: Broker = await start({ port });
      return () => broker.stop();
    },
  };
}

async function composeUp(kind: Kind, port: number): Promise<() => Promise<unknown>> {
  const compose = (...parameters: readonly string[]): void => {
    const environment = { ...process.env, [`${kind.toUpperCase()}_PORT`]: String(port) };
    const options = { cwd: projectRoot, encoding: "utf8", env: environment } as const;
    const project = `tenuto-test-${process.pid}-${kind}`;
    const { status, stderr } = spawnSync("docker", ["compose", "--project-name", project, ...parameters], options);
    if (status !== 0) throw new Error(`docker compose ${parameters.join(" ")}: ${stderr}`);
  };
  compose("up", "--detach", "--wait", kind);
  return async () => compose("down", "--volumes");
}

/** Once for all who ask, unless it fails: then the next one who asks has another try. */
function once<T>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined;
  return () => {
    started ??= start().catch((error: unknown) => {
      started = undefined;
      throw error;
    });
    return started;
  };
}
