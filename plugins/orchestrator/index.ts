export { type OrchestratorConfig, OrchestratorPlugin, orchestratorConfig } from "./plugin.js";
