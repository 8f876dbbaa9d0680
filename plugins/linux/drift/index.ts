export { type DriftConfig, DriftPlugin, driftConfig } from "./plugin.js";
