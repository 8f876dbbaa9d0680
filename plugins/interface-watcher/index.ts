export { HostInterfaces } from "./host-interfaces.js";
export { WatchedNamespaces } from "./named-namespaces.js";
export { type InterfaceWatcherConfig, InterfaceWatcherPlugin, interfaceWatcherConfig } from "./plugin.js";
