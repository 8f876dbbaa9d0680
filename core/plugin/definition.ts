import type { z } from "zod";
import type { Token } from "./token.js";

/**
 * A class that can be part of a flavor: it has the `plugin` decorator, and its constructor parameters all carry an injection
 * decorator. Its steps are those of {@link Plugin}; as all of them are optional, it may have none.
 */
export type PluginClass<P extends object = object> = new (...dependencies: never[]) => P;

/** The shape of a plugin's section: `z.strictObject({…})`, every field with a default or optional where it can be. */
export type ConfigSchema = z.ZodObject;

/** Something a plugin gives to the others: under `token`, what `of` returns for the plugin. */
export interface Provision {
  readonly token: Token<unknown>;
  readonly of: (plugin: object) => unknown;
}

/** `one`: exactly one earlier plugin, or the agent, provides it. `optional`: at most one. `all`: any number, anywhere. */
export type DependencyKind = "one" | "optional" | "all";

/** A constructor parameter. */
export interface PluginDependency {
  readonly token: Token<unknown>;
  readonly kind: DependencyKind;
}

/** What the `plugin` decorator wrote down about a class: all that flavor checks and listings need, without an instance. */
export interface PluginDefinition {
  readonly name: string;
  /** One sentence for `tenuto plugins`; empty when the plugin says nothing. */
  readonly description: string;
  readonly config: ConfigSchema | undefined;
  readonly provides: readonly Provision[];
  /** In order of the constructor's parameters. */
  readonly dependencies: readonly PluginDependency[];
}
