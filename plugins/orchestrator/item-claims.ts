import type { ItemKeys } from "./item-keys.js";

/** What an item of a source says: a value and its full key, or (`undefined`) that its value is given up. */
export interface Said<I> {
  /** The key that it came under, normalised. */
  readonly itemKey: string;
  readonly key: string;
  readonly value: object | undefined;
  readonly item: I;
}

/** What the items of a source come to. */
export interface Meant<I> {
  /** By full key: values to set, and keys to give up. */
  readonly values: Map<string, object | undefined>;
  /** The items that said so. */
  readonly items: Map<string, I>;
  readonly shortKeys: Map<string, string>;
  /** Values that go because their item means another one now: the full key before, and now. */
  readonly replaced: Map<string, string>;
  /** Items whose value another item has already, and which one. */
  readonly refused: readonly { readonly said: Said<I>; readonly holder: string }[];
}

/**
 * Of two items of a source that mean the same value, one by a short key and one by its full key, the one that came first has it, not
 * the one that came last; when it goes the other one's value is taken.
 */
export class ItemClaims<I> {
  /** Items whose value another one has, by full key. */
  private readonly waiting = new Map<string, Map<string, Said<I>>>();

  constructor(private readonly keys: ItemKeys) {}

  changes(said: readonly Said<I>[]): Meant<I> {
    const draft = new Draft<I>(this.keys);
    for (const each of said) this.take(each, draft, (key) => draft.holderOf(key));
    return draft;
  }

  /** @param unread items that could not be read, and mean what they meant before. */
  snapshot(said: readonly Said<I>[], unread: ReadonlySet<string>): Meant<I> {
    this.waiting.clear();
    const meanings = new Map(said.map(({ itemKey, key, value }) => [itemKey, value === undefined ? undefined : key]));
    const draft = new Draft<I>(this.keys);
    for (const each of said) {
      this.take(each, draft, (key) => {
        const holder = draft.holderOf(key);
        // An item that is not there any more holds nothing.
        const stands = holder !== undefined && (meanings.get(holder) === key || unread.has(holder));
        return stands ? holder : draft.takenBy(key);
      });
    }
    return draft;
  }

  private take(said: Said<I>, draft: Draft<I>, holderOf: (key: string) => string | undefined): void {
    const { itemKey, key, value } = said;
    if (this.waiting.size > 0) for (const waiting of this.waiting.values()) waiting.delete(itemKey);
    const holder = value === undefined ? undefined : holderOf(key);
    if (holder !== undefined && holder !== itemKey) {
      draft.refused.push({ said, holder });
      this.waiting.set(key, (this.waiting.get(key) ?? new Map<string, Said<I>>()).set(itemKey, said));
      return;
    }
    const before = draft.under(itemKey);
    if (value === undefined && before.length === 0) draft.values.set(key, undefined);
    for (const each of before) {
      if (value !== undefined && each === key) continue;
      draft.giveUp(each, said);
      if (value !== undefined) draft.replaced.set(each, key);
      this.giveToNext(each, draft, holderOf);
    }
    if (value !== undefined) draft.set(said);
  }

  private giveToNext(key: string, draft: Draft<I>, holderOf: (key: string) => string | undefined): void {
    const waiting = this.waiting.get(key);
    const [next] = waiting?.values() ?? [];
    if (waiting === undefined || next === undefined) return;
    waiting.delete(next.itemKey);
    if (waiting.size === 0) this.waiting.delete(key);
    this.take(next, draft, holderOf);
  }
}

class Draft<I> implements Meant<I> {
  readonly values = new Map<string, object | undefined>();
  readonly items = new Map<string, I>();
  readonly shortKeys = new Map<string, string>();
  readonly replaced = new Map<string, string>();
  readonly refused: { readonly said: Said<I>; readonly holder: string }[] = [];
  /** Of the values that were set here. */
  private readonly byShortKey = new Map<string, Set<string>>();

  constructor(private readonly keys: ItemKeys) {}

  /** The item that a value was set by. */
  takenBy(key: string): string | undefined {
    if (this.values.get(key) === undefined) return undefined;
    return this.shortKeys.get(key) ?? key;
  }

  /** The item that has a value, now or since before. */
  holderOf(key: string): string | undefined {
    if (this.values.has(key)) return this.takenBy(key);
    const item = this.keys.itemOf(key);
    // That it has is known of items that called it by another key; the full key is its own.
    return this.keys.under(item).includes(key) ? item : undefined;
  }

  /** Full keys of an item's values, as far as the changes have come. */
  under(itemKey: string): readonly string[] {
    const before = this.keys.under(itemKey).filter((key) => !this.values.has(key));
    return [...before, ...(this.byShortKey.get(itemKey) ?? [])];
  }

  set({ itemKey, key, value, item }: Said<I>): void {
    this.values.set(key, value);
    this.items.set(key, item);
    if (itemKey === key) this.shortKeys.delete(key);
    else this.shortKeys.set(key, itemKey);
    this.replaced.delete(key);
    this.byShortKey.set(itemKey, (this.byShortKey.get(itemKey) ?? new Set()).add(key));
  }

  giveUp(key: string, { item }: Said<I>): void {
    this.byShortKey.get(this.shortKeys.get(key) ?? key)?.delete(key);
    this.values.set(key, undefined);
    this.items.set(key, item);
    this.shortKeys.delete(key);
  }
}
