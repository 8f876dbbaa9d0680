export * from "./events.js";
export * from "./gate.js";
export * from "./northbound.js";
export * from "./request-group.js";
export * from "./source.js";
export * from "./transaction.js";
