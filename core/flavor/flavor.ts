import { didYouMean } from "../config/suggestion.js";
import { InvalidInputError } from "../errors.js";
import { type PluginClass, type PluginDefinition, pluginDefinition } from "../plugin/index.js";

/** A plugin class, or another flavor with all its plugins. A bundle is a flavor that is meant to be part of others. */
export type FlavorItem = PluginClass | Flavor;

/** A part of a flavor: a plugin class or its name, a flavor that was put in or its name. */
export type FlavorPart = FlavorItem | string;

/** A plugin of a flavor with what its decorator says. */
export interface FlavorPlugin {
  readonly type: PluginClass;
  readonly definition: PluginDefinition;
}

/**
 * An ordered list of plugins under a name. Immutable: every operation returns a new flavor. A plugin that is put in twice
 * stays where it was first. Operations on a part that is not there throw `InvalidInputError`, which lists what there is.
 */
export class Flavor {
  readonly name: string;
  readonly plugins: readonly FlavorPlugin[];
  /** Names of the flavors that were put in, with the plugins they brought. */
  private readonly bundles: ReadonlyMap<string, readonly PluginClass[]>;

  private constructor(
    name: string,
    plugins: readonly FlavorPlugin[],
    bundles: ReadonlyMap<string, readonly PluginClass[]>,
  ) {
    this.name = name;
    this.plugins = plugins;
    this.bundles = bundles;
  }

  /** Throws `InvalidInputError` for an item that is no plugin, and for two plugins that share a name. */
  static of(name: string, items: readonly FlavorItem[]): Flavor {
    const plugins = new Map<PluginClass, FlavorPlugin>();
    const bundles = new Map<string, readonly PluginClass[]>();
    for (const item of items) {
      for (const one of pluginsOf(item)) plugins.set(one.type, plugins.get(one.type) ?? one);
      if (item instanceof Flavor) item.nameBundles(bundles);
    }
    const list = [...plugins.values()];
    refuseSharedNames(name, list);
    return new Flavor(name, list, bundles);
  }

  /** Plugin names in order. */
  get names(): readonly string[] {
    return this.plugins.map(({ definition }) => definition.name);
  }

  has(part: FlavorPart): boolean {
    return this.find(part).length > 0;
  }

  /** The same plugins under another name. */
  named(name: string): Flavor {
    return new Flavor(name, this.plugins, this.bundles);
  }

  /** With these at the end. */
  with(...items: readonly FlavorItem[]): Flavor {
    return this.rebuild([...this.types(), ...items]);
  }

  without(...parts: readonly FlavorPart[]): Flavor {
    const gone = new Set(parts.flatMap((part) => this.require(part)));
    return this.rebuild(this.types().filter((type) => !gone.has(type)));
  }

  /** With `item` in the place of `part`. */
  replace(part: FlavorPart, item: FlavorItem): Flavor {
    const gone = this.require(part);
    return this.rebuild(
      this.types().flatMap((type) => (gone.includes(type) ? (type === gone[0] ? [item] : []) : [type])),
    );
  }

  /** With `item` right before `part`. An item that is in the flavor already moves there. */
  before(part: FlavorPart, item: FlavorItem): Flavor {
    return this.insert(item, part, "before");
  }

  /** With `item` right after `part`. An item that is in the flavor already moves there. */
  after(part: FlavorPart, item: FlavorItem): Flavor {
    return this.insert(item, part, "after");
  }

  private insert(item: FlavorItem, part: FlavorPart, side: "before" | "after"): Flavor {
    const moved = new Set(pluginsOf(item).map(({ type }) => type));
    const anchors = this.require(part).filter((type) => !moved.has(type));
    const anchor = anchors.at(side === "before" ? 0 : -1);
    if (anchor === undefined) return this;
    const rest = this.types().filter((type) => !moved.has(type));
    const index = rest.indexOf(anchor) + (side === "before" ? 0 : 1);
    return this.rebuild([...rest.slice(0, index), item, ...rest.slice(index)]);
  }

  /** Bundles of this flavor keep their names as long as one of their plugins is in. */
  private rebuild(items: readonly FlavorItem[]): Flavor {
    const rebuilt = Flavor.of(this.name, items);
    const present = new Set(rebuilt.types());
    const bundles = new Map(rebuilt.bundles);
    for (const [name, types] of this.bundles) {
      const left = types.filter((type) => present.has(type));
      if (left.length > 0 && !bundles.has(name)) bundles.set(name, left);
    }
    return new Flavor(this.name, rebuilt.plugins, bundles);
  }

  private types(): readonly PluginClass[] {
    return this.plugins.map(({ type }) => type);
  }

  private nameBundles(bundles: Map<string, readonly PluginClass[]>): void {
    bundles.set(this.name, this.types());
    for (const [name, types] of this.bundles) bundles.set(name, types);
  }

  /** The classes of this flavor that `part` stands for, in order. */
  private find(part: FlavorPart): readonly PluginClass[] {
    if (typeof part === "string") {
      const named = this.plugins.find(({ definition }) => definition.name === part);
      return named === undefined ? (this.bundles.get(part) ?? []) : [named.type];
    }
    const desired = new Set(pluginsOf(part).map(({ type }) => type));
    return this.types().filter((type) => desired.has(type));
  }

  private require(part: FlavorPart): readonly PluginClass[] {
    const found = this.find(part);
    if (found.length > 0) return found;
    const name = partName(part);
    const bundles = [...this.bundles.keys()].filter((bundle) => !this.names.includes(bundle));
    throw new InvalidInputError(
      "FLAVOR_PART_UNKNOWN",
      `flavor ${this.name} has no plugin "${name}"; it has: ${this.names.join(", ") || "no plugins"}` +
        (bundles.length === 0 ? "" : `; bundles: ${bundles.join(", ")}`) +
        didYouMean(name, [...this.names, ...bundles]),
    );
  }
}

/** A flavor of the given plugins, bundles and other flavors, in this order. */
export function flavor(name: string, items: readonly FlavorItem[]): Flavor {
  return Flavor.of(name, items);
}

function pluginsOf(item: FlavorItem): readonly FlavorPlugin[] {
  if (item instanceof Flavor) return item.plugins;
  const definition = pluginDefinition(item);
  if (definition === undefined) {
    throw new InvalidInputError(
      "FLAVOR_ITEM_NOT_A_PLUGIN",
      `${describe(item)} is not a plugin: expected a class with the @plugin decorator, or a flavor. ` +
        "A class that has it was made with another copy of tenuto: install tenuto once.",
    );
  }
  return [{ type: item, definition }];
}

function refuseSharedNames(flavorName: string, plugins: readonly FlavorPlugin[]): void {
  const seen = new Map<string, PluginClass>();
  for (const { type, definition } of plugins) {
    const other = seen.get(definition.name);
    if (other !== undefined) {
      throw new InvalidInputError(
        "FLAVOR_DUPLICATE_NAME",
        `flavor ${flavorName}: ${other.name} and ${type.name} are both called "${definition.name}"; ` +
          `use replace("${definition.name}", ${type.name}) to have one instead of the other`,
      );
    }
    seen.set(definition.name, type);
  }
}

function partName(part: FlavorPart): string {
  if (typeof part === "string") return part;
  if (part instanceof Flavor) return part.name;
  return pluginDefinition(part)?.name ?? describe(part);
}

function describe(item: unknown): string {
  return typeof item === "function" ? item.name || "an unnamed class" : String(item);
}
