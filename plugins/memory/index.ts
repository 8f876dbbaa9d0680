export { MemoryBus, type Subscription } from "./bus.js";
export { type MemoryConfig, MemoryPlugin, memoryConfig } from "./plugin.js";
