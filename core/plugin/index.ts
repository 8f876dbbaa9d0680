export {
  type All,
  inject,
  injectAll,
  injectOptional,
  PluginConfig,
  type PluginOptions,
  plugin,
  pluginDefinition,
  provide,
  type SelectedProvision,
} from "./decorators.js";
export type {
  ConfigSchema,
  DependencyKind,
  PluginClass,
  PluginDefinition,
  PluginDependency,
  Provision,
} from "./definition.js";
export type { Plugin } from "./plugin.js";
export { type Token, token } from "./token.js";
