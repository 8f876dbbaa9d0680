export { type NatsConfig, natsConfig } from "./config.js";
export { NatsPlugin } from "./plugin.js";
