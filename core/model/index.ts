export { changesFromDocument } from "./document.js";
export { parseJsonBody, parseJsonObject } from "./json-text.js";
export { createModelRegistry } from "./registry.js";
export * from "./types.js";
