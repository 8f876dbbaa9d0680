export { HealthRegistry } from "./registry.js";
export { Health, type HealthReporter, type HealthState, type PluginHealth, PluginHealthReporter } from "./types.js";
