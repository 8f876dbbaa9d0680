export { L2Plugin } from "./plugin.js";
