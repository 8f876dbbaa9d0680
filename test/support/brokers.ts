/**
 * Brokers for tests, benchmarks and examples.
 *
 * - {@link startNats} and {@link startKafka} start one that is the caller's own, to restart or to break, in the caller's
 *   network namespace, on a free port, with data that is thrown away; {@link startKafkaCluster} and {@link startNatsCluster} three that are one.
 * - {@link sharedNats} and {@link sharedKafka} reach the ones that `npm test` runs for all tests (`NATS_URL`, `KAFKA_BROKERS`,
 *   Docker Compose, or local ones). Others use them at the same time: take a label and names of your own.
 */
import { endpointsOf, relayTo } from "./relay.js";

export type { Broker } from "./broker.js";
export { type KafkaCluster, type KafkaOptions, startKafka, startKafkaCluster } from "./kafka-server.js";
export { type NatsCluster, type NatsOptions, startNats, startNatsCluster } from "./nats-server.js";

/** Set by `npm test`: the directory with the Unix sockets that lead out of the sandbox. */
export const RELAY_VARIABLE = "TENUTO_TEST_RELAY";

/** Whether this run of the tests has them: what a test file asks to decide if it declares a test or skips it. */
export const hasSharedNats = Boolean(process.env.NATS_URL);
export const hasSharedKafka = Boolean(process.env.KAFKA_BROKERS);

const relays = new Map<string, Promise<string | undefined>>();

/** URL of the shared NATS (JetStream on), reachable from here; `undefined` without {@link hasSharedNats}. */
export function sharedNats(): Promise<string | undefined> {
  return reach("NATS_URL", 4222);
}

/** Broker list of the shared Kafka, reachable from here; `undefined` without {@link hasSharedKafka}. */
export function sharedKafka(): Promise<string | undefined> {
  return reach("KAFKA_BROKERS", 9092);
}

function reach(variable: "NATS_URL" | "KAFKA_BROKERS", defaultPort: number): Promise<string | undefined> {
  let addresses = relays.get(variable);
  if (addresses === undefined) {
    addresses = openRelays(process.env[variable], defaultPort);
    relays.set(variable, addresses);
  }
  return addresses;
}

async function openRelays(addresses: string | undefined, defaultPort: number): Promise<string | undefined> {
  const directory = process.env[RELAY_VARIABLE];
  if (!addresses || !directory) return addresses || undefined;
  for (const endpoint of endpointsOf(addresses, defaultPort)) await relayTo(directory, endpoint);
  return addresses;
}
