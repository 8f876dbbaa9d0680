export { changesFromDocument } from "./document.js";
export { createModelRegistry } from "./registry.js";
export * from "./types.js";
