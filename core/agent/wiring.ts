import { BugError, InvalidInputError } from "../errors.js";
import type { FlavorPlugin } from "../flavor/index.js";
import { allOf } from "../plugin/decorators.js";
import type { All, Plugin, PluginClass, Token } from "../plugin/index.js";
import { construct, newContainer } from "../plugin/injection.js";

/** A token with the value that stands for it. */
export type Service = readonly [token: Token<unknown>, value: unknown];

/**
 * The dependency injection container of one agent. Every plugin is constructed in a child of it, which
 * adds what is the plugin's alone.
 */
export class Wiring {
  private readonly container = newContainer();
  private readonly plugins = new Map<PluginClass, object>();
  private readonly provided = new Map<Token<unknown>, Provided[]>();
  private completed = false;

  /** Registers something that a plugin, or the agent itself, provides. */
  provide([token, value]: Service, provider: string): void {
    if (value === undefined || value === null) {
      throw new BugError(
        "PROVIDED_NOTHING",
        `${provider} provides ${token.name}, but it is ${value} after construction`,
      );
    }
    this.container.register(token.id, { useValue: value });
    this.provided.set(token, [...(this.provided.get(token) ?? []), { provider, value }]);
  }

  /** Constructs a plugin with its own services and registers what it provides. Whatever its constructor throws is thrown. */
  construct({ type, definition }: FlavorPlugin, services: readonly Service[]): Plugin {
    const container = this.container.createChildContainer();
    for (const [token, value] of services) container.register(token.id, { useValue: value });
    for (const { token, kind } of definition.dependencies) {
      if (kind === "all") container.register(allOf(token).id, { useValue: this.all(token) });
    }
    const plugin = construct(container, type);
    this.plugins.set(type, plugin);
    for (const { token, of } of definition.provides) this.provide([token, of(plugin)], definition.name);
    return plugin;
  }

  /** Every plugin is constructed: `All.get()` may answer. */
  complete(): void {
    this.completed = true;
  }

  /** What is provided under a token, in flavor order. */
  all<T>(token: Token<T>): All<T> {
    return {
      get: () => {
        if (this.completed) return this.values(token);
        throw new BugError("ALL_TOO_EARLY", `all ${token.name}s are known from init() on, not in a constructor`);
      },
    };
  }

  /** The one value of a token, or the plugin of a class. Throws `InvalidInputError` when there is none or more than one. */
  get<T>(requested: Token<T> | PluginClass<T & object>): T {
    if (typeof requested === "function") {
      const plugin = this.plugins.get(requested);
      if (plugin !== undefined) return plugin as T;
      throw new InvalidInputError("NOT_PROVIDED", `the agent has no plugin ${requested.name}`);
    }
    const values = this.values(requested);
    const [value] = values;
    if (value !== undefined && values.length === 1) return value;
    const provider = values.length === 0 ? "nothing" : "more than one plugin";
    throw new InvalidInputError("NOT_PROVIDED", `${provider} provides ${requested.name}`);
  }

  /** What one plugin provides under a token. */
  providedBy<T>(provider: string, token: Token<T>): readonly T[] {
    return this.values(token, provider);
  }

  private values<T>(token: Token<T>, provider?: string): readonly T[] {
    const provided = this.provided.get(token) ?? [];
    const requested = provider === undefined ? provided : provided.filter((one) => one.provider === provider);
    return requested.map(({ value }) => value as T);
  }
}

interface Provided {
  /** Plugin name, or `agent`. */
  readonly provider: string;
  readonly value: unknown;
}
