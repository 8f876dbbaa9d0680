/** A network as somebody runs it: an example of `examples/networks`, and what becomes of it. */
export interface Network {
  /** Of its file, `examples/networks/<name>.yaml`. */
  readonly name: string;
  /** A shell script of what others have made before, and one that takes it away. */
  readonly others?: { readonly make: string; readonly remove: string };
  /** Where packets pass. */
  readonly paths: readonly Path[];
  /** Where none may. */
  readonly noPaths?: readonly Path[];
  /** A document that is applied upon the network. */
  readonly change: string;
  /** Packets that pass all the time while it is. */
  readonly undisturbed: Path;
  /** Where packets pass then. */
  readonly pathsThen: readonly Path[];
  readonly byHand: readonly ByHand[];
}

/** `ping` from a namespace, the sandbox's own when it is empty. */
export interface Path {
  readonly from: string;
  readonly to: string;
  readonly options?: readonly string[];
}

/** What somebody does by hand. */
export interface ByHand {
  /** A shell script. */
  readonly script: string;
  /** Who puts it right: the agent by itself, or a resync, where the kernel tells nobody. `nobody`: it is not the agent's business. */
  readonly repairedBy: "itself" | "resync" | "nobody";
  /** Where packets pass afterwards; for `nobody`, also how it is taken back. */
  readonly paths?: readonly Path[];
  readonly undo?: string;
}

/** Words of a row: `path("red1", "192.168.2.1", "-I", "192.168.1.1")`. */
export function path(from: string, to: string, ...options: readonly string[]): Path {
  return { from, to, options };
}

export function byHand(script: string, repairedBy: ByHand["repairedBy"] = "itself"): ByHand {
  return { script, repairedBy };
}
