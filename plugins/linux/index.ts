import { flavor } from "#core/flavor/index.js";
import { DriftPlugin } from "./drift/index.js";
import { InterfacesPlugin } from "./interfaces/index.js";
import { L2Plugin } from "./l2/index.js";
import { L3Plugin } from "./l3/index.js";
import { NamespacesPlugin } from "./namespaces/index.js";

export { DriftPlugin } from "./drift/index.js";
export { InterfaceIndex, type InterfaceMetadata, InterfacesPlugin } from "./interfaces/index.js";
export { L2Plugin } from "./l2/index.js";
export { L3Plugin } from "./l3/index.js";
export { type NamespaceLease, Namespaces, NamespacesPlugin, type SurveyedNamespace } from "./namespaces/index.js";
export { TENUTO_PROTOCOL } from "./protocol.js";

/** The bundle of plugins that configure Linux networking, in the order in which they need each other. */
export const linux = flavor("linux", [NamespacesPlugin, InterfacesPlugin, L2Plugin, L3Plugin, DriftPlugin]);
