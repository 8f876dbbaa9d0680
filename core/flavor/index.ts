export { type ComposeOptions, composeFlavor } from "./compose.js";
export { Flavor, type FlavorItem, type FlavorPart, type FlavorPlugin, flavor } from "./flavor.js";
export { loadPlugins } from "./load.js";
export { checkOrder } from "./order.js";
export { type FlavorSelection, flavorSelection, type PluginAddition } from "./selection.js";
