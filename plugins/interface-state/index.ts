export { type InterfaceStateConfig, InterfaceStatePlugin, interfaceStateConfig } from "./plugin.js";
