export { L3Plugin } from "./plugin.js";
