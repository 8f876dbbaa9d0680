import type { Admin, Kafka } from "kafkajs";
import type { Logger } from "#core/logging/types.js";
import type { KafkaConfig } from "../config.js";
import { installFetchDecoder } from "./fetch-decoder.js";
import { kafkajsLogging } from "./logging.js";
import { clientOptions } from "./options.js";

/** The door to kafkajs. The library is loaded with the first connection: an agent without brokers does not pay for it. */
export class KafkaClient {
  readonly #config: KafkaConfig;
  readonly #label: string;
  readonly #log: Logger;

  constructor(config: KafkaConfig, label: string, log: Logger) {
    this.#config = config;
    this.#label = label;
    this.#log = log;
  }

  /** A client with the credentials as they are now. It connects to nothing by itself. Throws `BusError`. */
  async open(): Promise<Kafka> {
    const { Kafka } = await import("kafkajs");
    await installFetchDecoder();
    return new Kafka({ ...clientOptions(this.#config, this.#label), ...kafkajsLogging(this.#log) });
  }

  /** Does something with a connection for administration, and closes it. */
  async withAdmin<T>(kafka: Kafka, use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = kafka.admin();
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }
}
