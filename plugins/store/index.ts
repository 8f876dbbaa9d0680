export { type StoreConfig, StorePlugin, storeConfig } from "./plugin.js";
export { type SourceChanges, Store, type StoreUpdate } from "./types.js";
