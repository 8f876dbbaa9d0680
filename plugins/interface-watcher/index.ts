export { HostInterfaces } from "./host-interfaces.js";
export { WatchedNamespaces } from "./namespace-watchers.js";
export { type InterfaceWatcherConfig, InterfaceWatcherPlugin, interfaceWatcherConfig } from "./plugin.js";
