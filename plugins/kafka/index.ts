export { type KafkaConfig, kafkaConfig } from "./config.js";
export { KafkaPlugin } from "./plugin.js";
