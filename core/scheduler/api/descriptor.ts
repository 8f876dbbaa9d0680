/** Who a southbound value belongs to: `northbound`, we made it; `southbound`, somebody else did; `unknown`, told by retrieve. */
export type Origin = "northbound" | "southbound" | "unknown";

export interface KeyedValue<V extends object = object> {
  readonly key: string;
  readonly value: V;
}

/** A value that is in the southbound, as its descriptor gets it back. */
export interface ExistingValue<V extends object = object, M = unknown> extends KeyedValue<V> {
  readonly metadata: M;
}

/** What `retrieve` found in the southbound. */
export interface RetrievedValue<V extends object = object, M = unknown> {
  readonly key: string;
  readonly value: V;
  readonly origin: Origin;
  readonly metadata?: M;
  /** The remains of a change that was interrupted, which stand for no value: a resync removes them. */
  readonly remains?: true;
}

/**
 * What a value waits for. Dependencies of a value are ANDed.
 *
 * - `key`: the value under that key exists in the southbound.
 * - `anyOf`: at least one existing value's key begins with one of `prefixes` (all keys when left out) and satisfies
 *   `matches` (when given). With prefixes the cost follows the matches.
 * - `peer`: the value under that key is desired and valid, depends on this value in turn, and everything else that it depends on
 *   is there. For two values that can only come together (the ends of a veth pair): the first end has the second as `peer`,
 *   the second has the first, or what derives from it, as `key`.
 */
export type Dependency =
  | { readonly label: string; readonly key: string }
  | {
      readonly label: string;
      readonly anyOf: { readonly prefixes?: readonly string[]; readonly matches?: (key: string) => boolean };
    }
  | { readonly label: string; readonly peer: string };

/** One wrong field of an invalid value. */
export interface InvalidField {
  /** Path inside the value: `ip_addresses[1]`. */
  readonly field: string;
  /** What it was and what was expected. */
  readonly problem: string;
}

/**
 * A descriptor tells the scheduler how to handle the values under its keys. Every method gets canonical values (the
 * contract's JSON) and must treat them as read-only. `create`, `update` and `delete` may run concurrently for different
 * keys unless `concurrency` is `serial`; for one key never. Whatever a descriptor throws becomes the value's error.
 *
 * Values that are neither created nor deleted by anybody but the scheduler's bookkeeping (a property such as
 * `linux/interface/state/<name>/UP`) have no `create`/`delete`: such operations succeed at once.
 */
export interface Descriptor<V extends object = object, M = unknown> {
  readonly name: string;
  /** The keys it handles: those that begin with `prefix` and, when given, satisfy `selects`. */
  readonly prefix: string;
  selects?(key: string): boolean;

  /** Called before anything is planned. Returns the wrong fields; a value with any is INVALID and is not applied. */
  validate?(key: string, value: V): readonly InvalidField[];

  /** Makes the southbound value. Called when it does not exist and all its dependencies do. Returns its metadata. */
  create?(key: string, value: V): Promise<M> | M;
  /** Changes the value in place. Left out: every change is a re-creation. Returns its new metadata. */
  update?(key: string, oldValue: V, newValue: V, metadata: M): Promise<M> | M;
  /** True when the change needs delete + create; what depends on the value is put aside and brought back. */
  updateWithRecreate?(key: string, oldValue: V, newValue: V, metadata: M): boolean;
  /** Removes the southbound value. Called when nothing depends on it any more. Deleting what is gone already succeeds. */
  delete?(key: string, value: V, metadata: M): Promise<void> | void;

  /**
   * What `create` and `delete` do, for many values in one call; for a southbound that is quicker so. Creations (deletions) that are
   * ready together come together, alone or by the hundreds, and each has a result of its own, in the order of `values`. What these
   * throw is the error of every value.
   */
  createMany?(values: readonly KeyedValue<V>[]): Promise<readonly PromiseSettledResult<M>[]>;
  deleteMany?(values: readonly ExistingValue<V, M>[]): Promise<readonly PromiseSettledResult<void>[]>;

  /**
   * Reads the southbound state. `correlate` are the values the scheduler expects, to map what is found back to keys; with
   * `only` it may limit itself to those keys. Left out: the scheduler believes its own cache.
   * Values with origin `northbound` that nobody wants become orphans: they stay until somebody says something about them. `remains` are
   * removed.
   *
   * What is in the southbound exactly as expected, metadata and all, may be returned as the very object of `correlate`; that is quickest. It is
   * the same object in every read, until something else is expected.
   */
  retrieve?(
    correlate: readonly RetrievedValue<V, M>[],
    only?: ReadonlySet<string>,
  ): Promise<readonly RetrievedValue<V, M>[]>;

  /** Parts of the value with a life of their own. They exist only while their base does. Pure. */
  derivedValues?(key: string, value: V): readonly KeyedValue[];
  /** What the value waits for. Pure. */
  dependencies?(key: string, value: V): readonly Dependency[];
  /**
   * Names of things that only one value can have at a time (a host name in a namespace). In one transaction the
   * values that give up a claim go before those that take it. Pure.
   */
  claims?(key: string, value: V): readonly string[];
  /** Do both values mean the same in the southbound? Default: deep equality. Pure. */
  equivalent?(key: string, a: V, b: V): boolean;
  /** False when trying the same again is useless. Default: every failure but `InvalidInputError` is retriable. */
  isRetriableFailure?(error: unknown): boolean;

  /** Descriptors whose `retrieve` must run before this one's. */
  readonly retrieveAfter?: readonly string[];
  /** What to do about a managed value that somebody else changed or removed. Default: the scheduler's. */
  readonly drift?: DriftPolicy;
  /** `serial`: never two operations of this descriptor at once. Default `parallel`. */
  readonly concurrency?: "parallel" | "serial";
  /** Index of the metadata of this descriptor's existing values. Filled by the scheduler. */
  readonly metadataMap?: MetadataMap<M>;
}

/** Metadata by key with secondary indexes, kept by the scheduler for a descriptor and read by other plugins. */
export interface MetadataMap<M> {
  get(key: string): M | undefined;
  /** Keys whose metadata has `value` in the secondary index `field`. */
  lookup(field: string, value: string): readonly string[];
  entries(): IterableIterator<[string, M]>;
  readonly size: number;
  /** Called after a value got, changed or (`undefined`) lost its metadata. Returns a function that ends the watch. */
  watch(listener: (key: string, metadata: M | undefined) => void): () => void;
  /** For the scheduler alone. */
  set(key: string, metadata: M | undefined): void;
}

/**
 * What to do about drift, that is when a managed value was changed or removed in the southbound by somebody else. All but `ignore` tell the
 * watchers. `enforce` repairs it: at once the first time, with growing delays when the same value drifts again and again, so
 * that two managers do not fight. `report` leaves it as it is until a transaction names the value or a resync comes. `ignore`
 * does not even look.
 */
export type DriftPolicy = "enforce" | "report" | "ignore";
