export { changesFromDocument } from "./document.js";
export { excessOf, parseJsonBody, parseJsonObject } from "./json-text.js";
export { createModelRegistry } from "./registry.js";
export * from "./types.js";
