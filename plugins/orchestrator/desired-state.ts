import { BugError } from "#core/errors.js";
import type { KeyValue } from "#core/northbound/index.js";
import type { SourceChanges } from "#plugins/store/index.js";
import { type OrphanMark, orphanNote } from "./orphan-mark.js";

/** Values set by request are a source of their own: kept in the store, above every other. */
export const REQUEST_SOURCE = { source: "store", priority: 100 } as const;

/** A value and the source that has the say over it. */
export interface DesiredValue {
  readonly value: object;
  readonly source: string;
}

interface Layer {
  readonly source: string;
  readonly priority: number;
  readonly values: Map<string, object>;
  /** Of those values that the source has lost and nobody has given up. */
  readonly orphans: Map<string, Orphan>;
}

interface Orphan {
  readonly mark: OrphanMark;
  /** A commit that is not decided yet has given it up. */
  yieldsTo: Yielded | undefined;
}

/** Orphaned values that a commit gives up, if it comes to count. */
export class Yielded {
  readonly orphans: { readonly layer: Layer; readonly key: string; readonly orphan: Orphan }[] = [];

  /** @param source whose commit it is */
  constructor(readonly source: string) {}
}

/** A value that is still desired though its source has lost it. */
export interface OrphanedValue {
  readonly source: string;
  readonly key: string;
  readonly mark: OrphanMark;
}

/** What the end of orphaned values means for the store. */
export interface GivenUp {
  readonly others: readonly SourceChanges[];
  readonly notes: ReadonlyMap<string, unknown>;
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
  private orphanChanges = 0;

  addSource(
    source: string,
    priority: number,
    values: Iterable<readonly [string, object]> = [],
    marks: Iterable<readonly [string, OrphanMark]> = [],
  ): void {
    const layer: Layer = { source, priority, values: new Map(values), orphans: new Map() };
    for (const [key, mark] of marks) {
      if (!layer.values.has(key)) continue;
      layer.orphans.set(key, { mark, yieldsTo: undefined });
      this.orphanChanges++;
    }
    this.layers.push(layer);
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
  hasOtherSource(source: string): boolean {
    return this.layers.some((layer) => layer.source !== source && layer.values.size > 0);
  }

  get(key: string): DesiredValue | undefined {
    for (const layer of this.layers) {
      const value = this.visible(layer, key);
      if (value !== undefined) return { value, source: layer.source };
    }
    return undefined;
  }

  /** What is desired under a key, whoever wants it. */
  value(key: string): object | undefined {
    for (const layer of this.layers) {
      const value = layer.values.size === 0 ? undefined : this.visible(layer, key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** What is desired after merging, in key order. `prefix` is a key or the beginning of one. */
  merged(prefix = ""): readonly KeyValue[] {
    const values = new Map<string, object>();
    for (const layer of this.layers) {
      for (const [key, value] of layer.values) {
        if (key.startsWith(prefix) && !values.has(key) && !isHidden(layer, key)) values.set(key, value);
      }
    }
    return [...values].map(([key, value]) => ({ key, value })).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Has the source lost this value of its? */
  isOrphaned(source: string, key: string): boolean {
    const orphan = this.layer(source).orphans.get(key);
    return orphan !== undefined && orphan.yieldsTo === undefined;
  }

  /** Has the source lost it, be it that a commit which is not decided yet gives it up? */
  isMarked(source: string, key: string): boolean {
    return this.layer(source).orphans.has(key);
  }

  /** The mark of the value in force under a key, when its source has lost it. */
  orphanOf(key: string): OrphanedValue | undefined {
    if (!this.hasOrphans) return undefined;
    const source = this.get(key)?.source;
    if (source === undefined || !this.isOrphaned(source, key)) return undefined;
    const mark = this.layer(source).orphans.get(key)?.mark;
    return mark === undefined ? undefined : { source, key, mark };
  }

  /** Every orphaned value. */
  *orphans(): Generator<OrphanedValue> {
    for (const { source, orphans } of this.layers) {
      for (const [key, { mark, yieldsTo }] of orphans) if (yieldsTo === undefined) yield { source, key, mark };
    }
  }

  /** Another number after every change of which values are orphaned. */
  get orphanRevision(): number {
    return this.orphanChanges;
  }

  get hasOrphans(): boolean {
    return this.layers.some(({ orphans }) => orphans.size > 0);
  }

  /** The source has lost these values. Returns the notes that say so; those that were marked before stay as they are. */
  markOrphans(source: string, keys: Iterable<string>, mark: OrphanMark): Map<string, unknown> {
    const { values, orphans } = this.layer(source);
    const notes = new Map<string, unknown>();
    for (const key of keys) {
      if (!values.has(key) || orphans.has(key)) continue;
      orphans.set(key, { mark, yieldsTo: undefined });
      this.orphanChanges++;
      notes.set(orphanNote(source, key), mark);
    }
    return notes;
  }

  /** The source has spoken of these keys again. Returns the notes that say so. */
  unmarkOrphans(source: string, keys: Iterable<string>): Map<string, unknown> {
    const { orphans } = this.layer(source);
    const notes = new Map<string, unknown>();
    if (orphans.size === 0) return notes;
    for (const key of keys) if (orphans.delete(key)) notes.set(orphanNote(source, key), undefined);
    this.orphanChanges += notes.size;
    return notes;
  }

  /**
   * Orphaned values give way to what somebody says of their keys: the source itself, any other that sets a value there, and a request
   * that deletes it. `said` is what was said of other sources' keys. They do not count from now on, until the commit is decided:
   * {@link giveUp} or {@link keep}.
   */
  yieldOrphans(source: string, changes: Changes, said: Changes = changes): Yielded {
    const yielded = new Yielded(source);
    if (!this.hasOrphans) return yielded;
    for (const layer of this.layers) {
      const isOwn = layer.source === source;
      for (const [key, value] of isOwn ? changes : said) {
        if (!isOwn && value === undefined && source !== REQUEST_SOURCE.source) continue;
        this.yieldOrphan(layer, key, yielded);
      }
    }
    return yielded;
  }

  /** Every orphaned value gives way, as an operator asked. */
  yieldAllOrphans(): Yielded {
    const yielded = new Yielded("");
    for (const layer of this.layers) for (const key of layer.orphans.keys()) this.yieldOrphan(layer, key, yielded);
    return yielded;
  }

  /** The commit counts: what gave way to it is gone. Returns what to write down. */
  giveUp({ orphans, source }: Yielded): GivenUp {
    const others = new Map<string, Map<string, undefined>>();
    const notes = new Map<string, unknown>();
    for (const { layer, key, orphan } of orphans) {
      if (layer.orphans.get(key) !== orphan || orphan.yieldsTo === undefined) continue;
      layer.orphans.delete(key);
      notes.set(orphanNote(layer.source, key), undefined);
      if (layer.source === source) continue;
      layer.values.delete(key);
      const ofSource = others.get(layer.source) ?? new Map<string, undefined>();
      others.set(layer.source, ofSource.set(key, undefined));
    }
    return { others: [...others].map(([of, changes]) => ({ source: of, changes })), notes };
  }

  /** The commit does not count, or not for some keys. */
  keep({ orphans }: Yielded, isMeant: (key: string) => boolean = () => true): void {
    for (const { key, orphan } of orphans) if (isMeant(key)) orphan.yieldsTo = undefined;
    this.orphanChanges += orphans.length;
  }

  private yieldOrphan(layer: Layer, key: string, yielded: Yielded): void {
    const orphan = layer.orphans.get(key);
    if (orphan === undefined || orphan.yieldsTo !== undefined) return;
    orphan.yieldsTo = yielded;
    this.orphanChanges++;
    yielded.orphans.push({ layer, key, orphan });
  }

  private visible(layer: Layer, key: string): object | undefined {
    const value = layer.values.get(key);
    return value !== undefined && isHidden(layer, key) ? undefined : value;
  }

  private layer(source: string): Layer {
    const layer = this.layers.find((candidate) => candidate.source === source);
    if (layer === undefined) throw new BugError("UNKNOWN_SOURCE", `no source ${source} was added`);
    return layer;
  }
}

/** An orphan that gave way to another source's commit. Of the source's own commit the value is the new one. */
function isHidden({ source, orphans }: Layer, key: string): boolean {
  if (orphans.size === 0) return false;
  const yieldsTo = orphans.get(key)?.yieldsTo;
  return yieldsTo !== undefined && yieldsTo.source !== source;
}
