export { MemoryBus, type MemorySubscription } from "./bus.js";
export { type MemoryConfig, MemoryPlugin, memoryConfig } from "./plugin.js";
