export { checkAddress, checkRange, checkSameFamily } from "./checks.js";
export {
  INTERFACE_PORT_PREFIX,
  INTERFACE_VLANS_PREFIX,
  interfaceAttachmentKey,
  interfacePortKey,
  parseInterfaceVlansKey,
  UNNUMBERED_ADDRESSES_PREFIX,
  unnumberedAddressesKey,
} from "./derived-keys.js";
export { INTERFACE_DESCRIPTOR } from "./descriptor.js";
export { isNamed } from "./host-name.js";
export { InterfaceIndex, type InterfaceMetadata } from "./interface-index.js";
export { IPV6_MIN_MTU } from "./own-addresses.js";
export { InterfacesPlugin } from "./plugin.js";
export { vlansOfInterface } from "./port.js";
