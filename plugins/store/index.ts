export { type StoreConfig, StorePlugin, storeConfig } from "./plugin.js";
export { Store, type StoreUpdate } from "./types.js";
