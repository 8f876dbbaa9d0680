import { BugError } from "../errors.js";
import type {
  ConfigSchema,
  DependencyKind,
  PluginClass,
  PluginDefinition,
  PluginDependency,
  Provision,
} from "./definition.js";
import { injectable, injectToken } from "./injection.js";
import { type Token, token } from "./token.js";

/** The validated section of the plugin that asks for it, with defaults filled in. */
export const PluginConfig = token<object>("PluginConfig");
export type PluginConfig = object;

/**
 * Everything that the plugins of a flavor provide under one token, in flavor order. It can be injected before all of them
 * are constructed; `get()` answers from `init()` on and throws `BugError` in a constructor.
 */
export interface All<T> {
  get(): readonly T[];
}

/** Made by {@link provide}. `P` is the plugin class that it fits. */
export interface SelectedProvision<in P> extends Provision {
  readonly fits?: (plugin: P) => void;
}

type Provided = Token<unknown> | SelectedProvision<never>;

/** What a class must be to provide these: the interfaces of plain tokens, the plugin type of selections. */
type Provider<Ps extends readonly unknown[]> = Ps extends readonly [infer First, ...infer Rest]
  ? (First extends Token<infer T> ? T : First extends SelectedProvision<infer P> ? P : unknown) & Provider<Rest>
  : unknown;

export interface PluginOptions<Ps extends readonly Provided[]> {
  /** Unique in a flavor: lower case, digits and dashes. Also names the configuration section and the logger. */
  readonly name: string;
  /** One sentence for `tenuto plugins`. */
  readonly description?: string;
  /** Schema of the plugin's section. Left out: the plugin has no section. */
  readonly config?: ConfigSchema;
  /** A token that the plugin object itself implements, or `provide(token, plugin => part)`. */
  readonly provides?: Ps;
}

const dependenciesByClass = new WeakMap<object, Map<number, PluginDependency>>();
const definitions = new WeakMap<object, PluginDefinition>();
const allTokens = new WeakMap<Token<unknown>, Token<All<unknown>>>();

/**
 * Makes a class a plugin. Throws `BugError` for a bad name and for a constructor parameter that is not injected.
 *
 * ```ts
 * const greeterConfig = z.strictObject({ words: z.string().default("hello") });
 *
 * @plugin({ name: "greeter", config: greeterConfig, provides: [Greeter] })
 * export class GreeterPlugin implements Plugin, Greeter {
 *   constructor(
 *     @inject(PluginConfig) private readonly config: z.infer<typeof greeterConfig>,
 *     @inject(Logger) private readonly log: Logger,
 *     @injectAll(StateSink) private readonly sinks: All<StateSink>,
 *   ) {}
 * }
 * ```
 *
 * TypeScript needs `experimentalDecorators` for it. In plain JavaScript decorators are functions, called after the class:
 * `inject(Logger)(GreeterPlugin, undefined, 1); plugin({ name: "greeter" })(GreeterPlugin);`.
 */
export function plugin<const Ps extends readonly Provided[] = []>(options: PluginOptions<Ps>) {
  return <P extends object & Provider<Ps>>(target: PluginClass<P>): void => {
    if (!/^[a-z][a-z0-9-]*$/.test(options.name)) {
      throw new BugError(
        "PLUGIN_NAME",
        `plugin name "${options.name}": expected lower case letters, digits and dashes`,
      );
    }
    definitions.set(target, {
      name: options.name,
      description: options.description ?? "",
      config: options.config,
      provides: (options.provides ?? []).map(toProvision),
      dependencies: parametersOf(target, options.name),
    });
    injectable()(target);
  };
}

/** A token whose value is a part of the plugin rather than the plugin itself. `of` is called once, after construction. */
export function provide<T, P extends object>(provided: Token<T>, of: (plugin: P) => T): SelectedProvision<P> {
  return { token: provided, of: of as (plugin: object) => unknown };
}

/** Exactly one provider, earlier in the flavor or the agent itself. */
export function inject<T>(requested: Token<T>): ParameterDecorator {
  return parameter(requested, "one");
}

/** At most one provider, earlier in the flavor; `undefined` when the flavor has none. */
export function injectOptional<T>(requested: Token<T>): ParameterDecorator {
  return parameter(requested, "optional");
}

/** Every provider of the flavor, as {@link All}. */
export function injectAll<T>(requested: Token<T>): ParameterDecorator {
  return parameter(requested, "all");
}

/** What the decorators wrote down, or `undefined` for a class that is no plugin (of this copy of Tenuto). */
export function pluginDefinition(target: unknown): PluginDefinition | undefined {
  return typeof target === "function" ? definitions.get(target) : undefined;
}

/** The token under which the agent registers `All<T>` of a token. */
export function allOf<T>(requested: Token<T>): Token<All<T>> {
  let all = allTokens.get(requested);
  if (all === undefined) {
    all = token<All<unknown>>(`All<${requested.name}>`);
    allTokens.set(requested, all);
  }
  return all as Token<All<T>>;
}

function parameter(requested: Token<unknown>, kind: DependencyKind): ParameterDecorator {
  return (target, property, index) => {
    const dependencies = dependenciesByClass.get(target) ?? new Map<number, PluginDependency>();
    dependencies.set(index, { token: requested, kind });
    dependenciesByClass.set(target, dependencies);
    const id = kind === "all" ? allOf(requested).id : requested.id;
    injectToken(id, { isOptional: kind === "optional" })(target, property, index);
  };
}

function parametersOf(target: PluginClass, name: string): readonly PluginDependency[] {
  const dependencies = dependenciesByClass.get(target) ?? new Map<number, PluginDependency>();
  return Array.from({ length: Math.max(target.length, dependencies.size) }, (_, index) => {
    const dependency = dependencies.get(index);
    if (dependency === undefined) {
      throw new BugError(
        "PLUGIN_PARAMETER_NOT_INJECTED",
        `plugin ${name}: parameter ${index + 1} of the constructor of ${target.name} has no @inject, @injectOptional or @injectAll`,
      );
    }
    return dependency;
  });
}

function toProvision(provided: Provided): Provision {
  return "of" in provided ? provided : { token: provided, of: (plugin) => plugin };
}
