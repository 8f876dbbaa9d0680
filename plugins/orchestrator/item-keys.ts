import { InvalidInputError } from "#core/errors.js";
import type { ModelRegistry } from "#core/model/types.js";
import type { Store } from "#plugins/store/index.js";
import type { Changes, DesiredState } from "./desired-state.js";

/** The shorter key that a value came under, by its full key. Those that came under their full key are not in it. */
export type ShortKeys = ReadonlyMap<string, string>;

/**
 * The keys that the values of one source came under. A source may call a value by a key that says less than the value does (a route
 * without its table): the value is kept under its full key, and the source goes on meaning it by the short one. What it writes there
 * next replaces it, though that may have another full key.
 *
 * Stored as a note for each such value.
 */
export class ItemKeys {
  private readonly shortKeys = new Map<string, string>();
  private readonly fullKeys = new Map<string, Set<string>>();

  constructor(
    private readonly source: string,
    private readonly desired: DesiredState,
    private readonly registry: ModelRegistry,
    private readonly store: Store,
  ) {}

  /** The key that a value of the source came under. */
  itemOf(key: string): string {
    return this.shortKeys.get(key) ?? key;
  }

  /** Full keys of the values that came under that key. */
  under(item: string): readonly string[] {
    const values = this.desired.of(this.source);
    const own = values.has(item) && !this.shortKeys.has(item) ? [item] : [];
    const others = this.fullKeys.get(item);
    return others === undefined ? own : [...own, ...[...others].filter((key) => values.has(key))];
  }

  /**
   * The changes that a request means: a value that is set under a short key replaces what was set under the same key before, if it
   * can be taken for a change of that (a route with another metric, not one in another table); a deletion by a short key is that of
   * the one value it can mean. Throws `InvalidInputError` when it may mean several.
   */
  meant(changes: Changes, shortKeys: ShortKeys): Changes {
    const values = this.desired.of(this.source);
    let index: LongKeys | undefined;
    const meant = new Map<string, object | undefined>();
    const replaced: string[] = [];
    for (const [key, value] of changes) {
      if (value !== undefined) {
        meant.set(key, value);
        const item = shortKeys.get(key) ?? key;
        if (item === key && !this.fullKeys.has(item)) continue;
        replaced.push(...this.under(item).filter((before) => this.registry.isChangeOf(key, before)));
        continue;
      }
      if (values.has(key) || this.registry.forKey(key)?.isShortFor === undefined) {
        meant.set(key, undefined);
        continue;
      }
      index ??= new LongKeys(values.keys());
      const under = this.under(key);
      const candidates =
        under.length > 0 ? under : index.like(key).filter((full) => this.registry.isShortFor(key, full));
      const [first = key] = candidates;
      if (candidates.length > 1) throw ambiguous(key, candidates);
      if (changes.get(first) === undefined) meant.set(first, undefined);
    }
    for (const key of replaced) if (!changes.has(key)) meant.set(key, undefined);
    return meant;
  }

  /** The keys that changes concern came under these keys from now on. Returns the notes to store with the values. */
  noteKeys(applied: Changes, shortKeys: ShortKeys): ReadonlyMap<string, unknown> {
    const notes = new Map<string, unknown>();
    if (this.shortKeys.size === 0 && shortKeys.size === 0) return notes;
    for (const [key, value] of applied) {
      const short = value === undefined ? undefined : shortKeys.get(key);
      if (short === this.shortKeys.get(key)) continue;
      this.keep(key, short);
      notes.set(this.note(key), short === undefined ? undefined : { key: short });
    }
    return notes;
  }

  /** The short keys of these values, as they are now. */
  of(keys: Iterable<string>): ShortKeys {
    const found = new Map<string, string>();
    for (const key of keys) {
      const short = this.shortKeys.get(key);
      if (short !== undefined) found.set(key, short);
    }
    return found;
  }

  /** To be called once the models are known. Values that were stored under keys that say less than those of today are kept under these. */
  async takeOver(): Promise<void> {
    const prefix = this.note("");
    for (const [name, note] of this.store.notes()) {
      if (name.startsWith(prefix)) this.keep(name.slice(prefix.length), shortKeyIn(note));
    }
    const changes = new Map<string, object | undefined>();
    const shortKeys = new Map<string, string>();
    for (const [key, value] of this.desired.of(this.source)) {
      const full = this.fullKeyOf(key, value);
      if (full === undefined || this.desired.of(this.source).has(full)) continue;
      changes.set(key, undefined).set(full, value);
      shortKeys.set(full, key);
    }
    if (changes.size === 0) return;
    const notes = new Map(this.noteKeys(changes, shortKeys));
    const marks = new Map(
      [...this.desired.orphans()].flatMap(({ source, key, mark }) => (source === this.source ? [[key, mark]] : [])),
    );
    for (const [name, note] of this.desired.unmarkOrphans(this.source, shortKeys.values())) notes.set(name, note);
    this.desired.apply(this.source, changes);
    for (const [full, key] of shortKeys) {
      const mark = marks.get(key);
      const marked = mark === undefined ? [] : this.desired.markOrphans(this.source, [full], mark);
      for (const [name, note] of marked) notes.set(name, note);
    }
    await this.store.write({ values: { source: this.source, changes }, notes });
  }

  private fullKeyOf(key: string, value: object): string | undefined {
    const spec = this.registry.forKey(key);
    if (spec?.isShortFor === undefined) return undefined;
    try {
      const full = this.registry.keyOf(spec.name, value);
      return full !== key && this.registry.isShortFor(key, full) ? full : undefined;
    } catch (error) {
      // The scheduler says what is wrong with it.
      if (error instanceof InvalidInputError) return undefined;
      throw error;
    }
  }

  private keep(key: string, short: string | undefined): void {
    const before = this.shortKeys.get(key);
    if (before !== undefined) {
      const others = this.fullKeys.get(before);
      others?.delete(key);
      if (others?.size === 0) this.fullKeys.delete(before);
      this.shortKeys.delete(key);
    }
    if (short === undefined) return;
    this.shortKeys.set(key, short);
    this.fullKeys.set(short, (this.fullKeys.get(short) ?? new Set()).add(key));
  }

  private note(key: string): string {
    return `item/${this.source}/${key}`;
  }
}

/** Full keys that others may be short for: they say something behind the name, or something in it is escaped. */
class LongKeys {
  private readonly byName = new Map<string, string[]>();
  private readonly escaped: string[] = [];

  constructor(keys: Iterable<string>) {
    for (const key of keys) {
      const end = key.indexOf(";");
      const name = end < 0 ? key : key.slice(0, end);
      if (name.includes("=")) this.escaped.push(key);
      else if (end >= 0) this.byName.set(name, [...(this.byName.get(name) ?? []), key]);
    }
  }

  /** Those that a key might be short for. */
  like(key: string): readonly string[] {
    const [name = key] = key.split(";", 1);
    return [...(this.byName.get(name) ?? []), ...this.escaped];
  }
}

function shortKeyIn(note: unknown): string | undefined {
  return typeof note === "object" && note !== null && "key" in note && typeof note.key === "string"
    ? note.key
    : undefined;
}

function ambiguous(key: string, candidates: readonly string[]): InvalidInputError {
  const message = `${key}: may mean ${candidates.join(" or ")}; delete one of these`;
  return new InvalidInputError("AMBIGUOUS_KEY", message, { key });
}
