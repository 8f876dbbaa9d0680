import { type Flavor, type FlavorItem, flavor } from "./flavor.js";
import { loadPlugins } from "./load.js";
import type { FlavorSelection, PluginAddition } from "./selection.js";

export interface ComposeOptions {
  /** Where paths and packages are looked up from: the directory of the configuration file. */
  readonly directory: string;
  /** A flavor by name. Throws `InvalidInputError` for a name that it does not know. */
  readonly named: (name: string) => Promise<Flavor>;
}

/**
 * The flavor that a configuration file selects. First `without` is left out, then `plugins` come in one after the other. Throws
 * `InvalidInputError` for a flavor, plugin or place that does not exist, and for a package that cannot be loaded.
 */
export async function composeFlavor(selection: FlavorSelection, { directory, named }: ComposeOptions): Promise<Flavor> {
  if (typeof selection === "string") return named(selection);
  const base = selection.extends === undefined ? flavor(selection.name, []) : await named(selection.extends);
  let composed = base.named(selection.name).without(...selection.without);
  for (const addition of selection.plugins) {
    const specifier = typeof addition === "string" ? addition : addition.use;
    composed = put(composed, flavor(specifier, await loadPlugins(specifier, directory)), addition);
  }
  return composed;
}

function put(base: Flavor, item: FlavorItem, addition: PluginAddition): Flavor {
  if (typeof addition === "string") return base.with(item);
  const { before, after, replace } = addition;
  if (before !== undefined) return base.before(before, item);
  if (after !== undefined) return base.after(after, item);
  return replace === undefined ? base.with(item) : base.replace(replace, item);
}
