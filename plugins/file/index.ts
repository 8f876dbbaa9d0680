export { type FileConfig, FilePlugin, fileConfig } from "./plugin.js";
