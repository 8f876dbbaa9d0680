export { createLogRegistry, type LogRegistryOptions } from "./registry.js";
export { Logger, type LogLevel, LogRegistry } from "./types.js";
