import { flavor } from "#core/flavor/index.js";
import { KafkaPlugin } from "#plugins/kafka/index.js";
import { base } from "./base.js";

/** Configuration from Kafka, state to Kafka. */
export const kafka = flavor("kafka", [base, KafkaPlugin]);
