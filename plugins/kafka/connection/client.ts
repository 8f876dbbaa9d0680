import type { Admin, Kafka } from "kafkajs";
import { BugError } from "#core/errors.js";
import { lazily } from "#core/lazily.js";
import type { Logger } from "#core/logging/types.js";
import type { KafkaConfig } from "../config.js";
import { installFetchDecoder } from "./fetch-decoder.js";
import { kafkajsLogging } from "./logging.js";
import { clientOptions } from "./options.js";
import { Wires } from "./wires.js";

/** The door to kafkajs. The library is loaded with the first connection: an agent without brokers does not pay for it. */
export class KafkaClient {
  private readonly config: KafkaConfig;
  private readonly label: string;
  private readonly log: Logger;
  private readonly wires = new WeakMap<Kafka, Wires>();

  constructor(config: KafkaConfig, label: string, log: Logger) {
    this.config = config;
    this.label = label;
    this.log = log;
  }

  /** A client with the credentials as they are now. It connects to nothing by itself. Throws `BusError`. */
  async open(): Promise<Kafka> {
    const { Kafka } = await lazily(() => import("kafkajs"));
    await installFetchDecoder();
    const { socketFactory, ...options } = clientOptions(this.config, this.label);
    const wires = new Wires(this.config.request_timeout);
    const kafka = new Kafka({ ...options, socketFactory: wires.over(socketFactory), ...kafkajsLogging(this.log) });
    this.wires.set(kafka, wires);
    return kafka;
  }

  /** The connections of a client that was opened here. */
  wiresOf(kafka: Kafka): Wires {
    const wires = this.wires.get(kafka);
    if (wires === undefined) throw new BugError("FOREIGN_CLIENT", "the client was not opened here");
    return wires;
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
