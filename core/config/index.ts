export {
  type CheckedConfiguration,
  type Configuration,
  type ConfigurationInput,
  checkConfiguration,
  problemText,
  resolveConfiguration,
  sectionsOf,
} from "./configuration.js";
export { duration } from "./duration.js";
export { type ConfigurationFile, readConfigurationFile } from "./file.js";
export type { ConfigProblem } from "./problems.js";
export { configurationSchema } from "./schema.js";
export { MASK, masked } from "./secrets.js";
export type { AgentConfig, LogConfig, SchedulerConfig } from "./sections.js";
export { didYouMean, nearest } from "./suggestion.js";
export { environmentName } from "./texts.js";
