export { type IfmgrConfig, ifmgrConfig } from "./config.js";
export { IfmgrPlugin } from "./plugin.js";
