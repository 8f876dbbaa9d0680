import { deepEqual } from "./equality.js";
import type { MetadataMap } from "./scheduler.js";

/** Secondary indexes of a metadata map: for each field, the values under which the metadata is found. */
export type MetadataIndexer<M> = (metadata: M) => Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * A metadata map for a descriptor's `metadataMap`.
 *
 * @param indexer names the secondary indexes: `({ hostName, index }) => ({ hostName, index: String(index) })`.
 */
export function createMetadataMap<M>(indexer: MetadataIndexer<M> = () => ({})): MetadataMap<M> {
  return new IndexedMetadata(indexer);
}

class IndexedMetadata<M> implements MetadataMap<M> {
  private readonly byKey = new Map<string, M>();
  private readonly byField = new Map<string, Map<string, Set<string>>>();
  private readonly listeners = new Set<(key: string, metadata: M | undefined) => void>();

  constructor(private readonly indexer: MetadataIndexer<M>) {}

  get size(): number {
    return this.byKey.size;
  }

  get(key: string): M | undefined {
    return this.byKey.get(key);
  }

  lookup(field: string, value: string): readonly string[] {
    return [...(this.byField.get(field)?.get(value) ?? [])];
  }

  entries(): IterableIterator<[string, M]> {
    return this.byKey.entries();
  }

  watch(listener: (key: string, metadata: M | undefined) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  set(key: string, metadata: M | undefined): void {
    const before = this.byKey.get(key);
    if (before === metadata || (before !== undefined && deepEqual(before, metadata))) return;
    if (before !== undefined) this.unindex(key, before);
    if (metadata === undefined) this.byKey.delete(key);
    else {
      this.byKey.set(key, metadata);
      this.index(key, metadata);
    }
    for (const listener of this.listeners) listener(key, metadata);
  }

  private index(key: string, metadata: M): void {
    for (const [field, value] of this.indexed(metadata)) {
      const values = this.byField.get(field) ?? new Map<string, Set<string>>();
      this.byField.set(field, values);
      const keys = values.get(value);
      if (keys === undefined) values.set(value, new Set([key]));
      else keys.add(key);
    }
  }

  private unindex(key: string, metadata: M): void {
    for (const [field, value] of this.indexed(metadata)) {
      const keys = this.byField.get(field)?.get(value);
      keys?.delete(key);
      if (keys?.size === 0) this.byField.get(field)?.delete(value);
    }
  }

  private *indexed(metadata: M): IterableIterator<[string, string]> {
    for (const [field, values] of Object.entries(this.indexer(metadata))) {
      if (values === undefined) continue;
      for (const value of typeof values === "string" ? [values] : values) yield [field, value];
    }
  }
}
