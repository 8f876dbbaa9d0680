import { InvalidInputError } from "../errors.js";
import { PluginConfig, type PluginDefinition, type PluginDependency, type Token } from "../plugin/index.js";
import type { Flavor } from "./flavor.js";

/**
 * Refuses a flavor that cannot be wired, before anything is constructed. Throws `InvalidInputError` (`FLAVOR_ORDER`) that lists
 * every dependency which no plugin, a later plugin, or more than one plugin provides, with the names of both sides.
 * `agentTokens` are those that the agent itself provides to every plugin.
 */
export function checkOrder(flavor: Flavor, agentTokens: ReadonlySet<Token<unknown>>): void {
  const definitions = flavor.plugins.map(({ definition }) => definition);
  const problems = definitions.flatMap((definition, position) =>
    definition.dependencies
      .map((dependency) => problemOf(flavor.name, definition, dependency, { definitions, position, agentTokens }))
      .filter((problem) => problem !== undefined),
  );
  if (problems.length === 0) return;
  throw new InvalidInputError("FLAVOR_ORDER", `flavor ${flavor.name} cannot be wired: ${problems.join("; ")}`);
}

interface Place {
  readonly definitions: readonly PluginDefinition[];
  /** Of the plugin that has the dependency. */
  readonly position: number;
  readonly agentTokens: ReadonlySet<Token<unknown>>;
}

function problemOf(
  flavorName: string,
  { name, config }: PluginDefinition,
  { token, kind }: PluginDependency,
  { definitions, position, agentTokens }: Place,
): string | undefined {
  if (token === PluginConfig && config === undefined)
    return `plugin ${name} injects its section, but declares no schema`;
  if (kind === "all" || agentTokens.has(token)) return undefined;

  const providers = definitions.filter((other) => other.provides.some((provision) => provision.token === token));
  const others = providers.filter((other) => other.name !== name);
  if (others.length > 1) {
    const names = others.map((other) => other.name).join(" and ");
    return `plugin ${name} needs one ${token.name}, but ${names} both provide it: inject all of them, or leave one out`;
  }
  const provider = others[0];
  if (provider !== undefined) {
    if (definitions.indexOf(provider) < position) return undefined;
    return `plugin ${name} needs ${token.name}, which plugin ${provider.name} provides later: put ${provider.name} before ${name}`;
  }
  if (kind === "optional") return undefined;
  return `plugin ${name} needs ${token.name}, which no plugin of flavor ${flavorName} provides`;
}
