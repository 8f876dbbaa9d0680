import { BugError } from "#core/errors.js";
import type { KeyValue } from "#core/northbound/index.js";

/** A value and the source that has the say over it. */
export interface Wanted {
  readonly value: object;
  readonly source: string;
}

interface Layer {
  readonly source: string;
  readonly priority: number;
  readonly values: Map<string, object>;
}

/** Values to set, and keys to give up (`undefined`). */
export type Changes = ReadonlyMap<string, object | undefined>;

/**
 * What every source wants, one layer each. For a key the layer with the highest priority that has it wins; among equals the
 * one that was added first. So a value that is withdrawn gives way to the next source's.
 */
export class DesiredState {
  /** Highest priority first. */
  private readonly layers: Layer[] = [];

  addSource(source: string, priority: number, values: Iterable<readonly [string, object]> = []): void {
    this.layers.push({ source, priority, values: new Map(values) });
    this.layers.sort((a, b) => b.priority - a.priority);
  }

  /** What one source wants. */
  of(source: string): ReadonlyMap<string, object> {
    return this.layer(source).values;
  }

  /** Changes what a source wants, and returns the changes that undo it. */
  apply(source: string, changes: Changes): Changes {
    const { values } = this.layer(source);
    const previous = new Map<string, object | undefined>();
    for (const [key, value] of changes) {
      previous.set(key, values.get(key));
      if (value === undefined) values.delete(key);
      else values.set(key, value);
    }
    return previous;
  }

  /** Does another source want anything at all? */
  isRivalled(source: string): boolean {
    return this.layers.some((layer) => layer.source !== source && layer.values.size > 0);
  }

  wanted(key: string): Wanted | undefined {
    for (const { source, values } of this.layers) {
      const value = values.get(key);
      if (value !== undefined) return { value, source };
    }
    return undefined;
  }

  /** What is wanted under a key, whoever wants it. */
  value(key: string): object | undefined {
    for (const { values } of this.layers) {
      const value = values.size === 0 ? undefined : values.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** What is wanted after merging, in key order. `prefix` is a key or the beginning of one. */
  merged(prefix = ""): readonly KeyValue[] {
    const values = new Map<string, object>();
    for (const layer of this.layers) {
      for (const [key, value] of layer.values) {
        if (key.startsWith(prefix) && !values.has(key)) values.set(key, value);
      }
    }
    return [...values].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  private layer(source: string): Layer {
    const layer = this.layers.find((candidate) => candidate.source === source);
    if (layer === undefined) throw new BugError("UNKNOWN_SOURCE", `no source ${source} was added`);
    return layer;
  }
}
