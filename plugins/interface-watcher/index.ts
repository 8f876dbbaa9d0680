export { HostInterfaces } from "./host-interfaces.js";
export { type InterfaceWatcherConfig, InterfaceWatcherPlugin, interfaceWatcherConfig } from "./plugin.js";
