/** What a plugin author and somebody who embeds an agent import: `import { Agent, plugin, flavor } from "tenuto"`. */
export * from "./agent/index.js";
export * from "./config/index.js";
export * from "./errors.js";
export * from "./flavor/index.js";
export * from "./health/types.js";
export { Logger, type LogLevel, LogRegistry } from "./logging/types.js";
export * from "./model/types.js";
export * from "./northbound/index.js";
export * from "./plugin/index.js";
export type * from "./scheduler/api/scheduler.js";
export { Scheduler } from "./scheduler/api/token.js";
