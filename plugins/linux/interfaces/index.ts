export { INTERFACE_DESCRIPTOR } from "./descriptor.js";
export { InterfaceIndex, type InterfaceMetadata } from "./interface-index.js";
export { InterfacesPlugin } from "./plugin.js";
