export { Agent, type AgentOptions } from "./agent.js";
export { AgentCloseError, PluginError, type PluginStep } from "./errors.js";
export { type RunOptions, runAgent } from "./run.js";
export { AgentInfo } from "./types.js";
export { VERSION } from "./version.js";
