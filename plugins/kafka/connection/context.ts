import type { Logger } from "#core/logging/types.js";
import type { Conditions } from "#core/northbound/conditions.js";
import type { KafkaConfig } from "../config.js";
import type { KafkaClient } from "./client.js";
import type { Topics } from "./topics.js";

/** A part of the plugin that can be impaired by itself. */
export type KafkaPart =
  | "brokers"
  | "topics"
  | "commands"
  | "lost commands"
  | "desired state"
  | "lost values"
  | "publishing"
  | "dead letters";

/** What everything that uses the bus needs. */
export interface BusContext {
  readonly config: KafkaConfig;
  readonly client: KafkaClient;
  readonly topics: Topics;
  readonly conditions: Conditions<KafkaPart>;
  readonly log: Logger;
}
