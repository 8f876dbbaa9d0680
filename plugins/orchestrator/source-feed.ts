import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { InvalidInputError } from "#core/errors.js";
import type { ModelRegistry } from "#core/model/types.js";
import type {
  Absence,
  ConfigConsumer,
  EventPublisher,
  SourceItem,
  SourcePosition,
  TransactionResult,
} from "#core/northbound/index.js";
import type { TransactionRecord } from "#core/scheduler/api/scheduler.js";
import { Slices, turnBetween } from "#core/slices.js";
import type { Store } from "#plugins/store/index.js";
import type { Committed, Committer } from "./committer.js";
import { deadLetterOf } from "./dead-letter.js";
import type { Changes, DesiredState } from "./desired-state.js";
import { ItemClaims, type Meant, type Said } from "./item-claims.js";
import type { ItemKeys } from "./item-keys.js";
import { invalidIn, invalidReason, outcomeOf, resultOf, summary } from "./results.js";
import { refusalOf } from "./validation.js";

/** Items that are decoded before the time is looked at: a snapshot can be large. */
const SOME = 8;

interface Delivery {
  readonly items: readonly SourceItem[];
  /** Of a snapshot; `undefined` for changes. */
  readonly absence: Absence | undefined;
  readonly position: SourcePosition | undefined;
  resolve(result: TransactionResult): void;
  reject(error: unknown): void;
}

interface Decoded {
  /** What is said, in order. */
  readonly said: readonly Said<SourceItem>[];
  /** Keys that could be told of items that could not be decoded. */
  readonly badKeys: ReadonlySet<string>;
  readonly errors: string[];
}

export interface SourceFeedParts {
  readonly source: string;
  readonly committer: Committer;
  readonly desired: DesiredState;
  readonly keys: ItemKeys;
  readonly registry: ModelRegistry;
  readonly events: EventPublisher;
  readonly store: Store;
  readonly spoken: (absence: Absence) => void;
  /** Called when which values are orphaned may have changed. */
  readonly reviewed: () => void;
}

/**
 * Takes what one source delivers. An item that can never be applied becomes a dead letter and does not stop the others; the
 * value that the source had set before, if any, stays.
 *
 * Changes that come while an earlier one is being applied are applied together, the last one for a key.
 */
export class SourceFeed implements ConfigConsumer {
  private readonly deliveries: Delivery[] = [];
  private draining = false;
  private lastPosition: SourcePosition | undefined;
  /** Keys whose last value was invalid. The scheduler shows them until another value comes, or none. */
  private readonly refused = new Set<string>();
  private readonly claims: ItemClaims<SourceItem>;

  constructor(private readonly parts: SourceFeedParts) {
    const { keys, store } = parts;
    this.claims = new ItemClaims(keys);
    const stored = store.notes().get(this.note);
    this.lastPosition = typeof stored === "object" && stored !== null ? stored : undefined;
  }

  get position(): SourcePosition | undefined {
    return this.lastPosition;
  }

  heldKeys(): ReadonlySet<string> {
    return new Set(this.parts.desired.of(this.parts.source).keys());
  }

  snapshot(items: readonly SourceItem[], absence: Absence, position?: SourcePosition): Promise<TransactionResult> {
    return this.deliver(items, absence, position);
  }

  change(items: readonly SourceItem[], position?: SourcePosition): Promise<TransactionResult> {
    return this.deliver(items, undefined, position);
  }

  private get note(): string {
    return `position/${this.parts.source}`;
  }

  private deliver(
    items: readonly SourceItem[],
    absence: Absence | undefined,
    position: SourcePosition | undefined,
  ): Promise<TransactionResult> {
    return new Promise((resolve, reject) => {
      this.deliveries.push({ items, absence, position, resolve, reject });
      if (!this.draining) void this.drain();
    });
  }

  /** Never rejects: whoever delivered gets the error. */
  private async drain(): Promise<void> {
    this.draining = true;
    while (this.deliveries.length > 0) {
      const together = this.takeNext();
      try {
        const result = await this.apply(
          together.flatMap(({ items }) => items),
          together[0]?.absence,
          together.at(-1)?.position,
        );
        for (const delivery of together) delivery.resolve(result);
      } catch (error) {
        for (const delivery of together) delivery.reject(error);
      }
    }
    this.draining = false;
  }

  /** A snapshot, or as many changes as wait in a row. */
  private takeNext(): readonly Delivery[] {
    const snapshot = this.deliveries.findIndex(({ absence }) => absence !== undefined);
    const count = snapshot === 0 ? 1 : snapshot > 0 ? snapshot : this.deliveries.length;
    return this.deliveries.splice(0, count);
  }

  private async apply(
    items: readonly SourceItem[],
    absence: Absence | undefined,
    position: SourcePosition | undefined,
  ): Promise<TransactionResult> {
    const id = `${this.parts.source}-${randomUUID()}`;
    const decoded = await this.decode(items);
    const { conclusion } = await this.parts.committer.exclusively(async () => {
      const meant =
        absence === undefined ? this.claims.changes(decoded.said) : this.claims.snapshot(decoded.said, decoded.badKeys);
      await turnBetween(items.length);
      const errors = [...decoded.errors, ...this.refuseClaims(meant)];
      const changes = absence === undefined ? meant.values : this.differences(meant, decoded.badKeys, absence);
      const notes = new Map([...this.marks(meant, decoded.badKeys, absence), ...this.moved(position)]);
      if (changes.size === 0) return { conclusion: this.unchanged(id, errors, meant, notes) };
      await turnBetween(items.length);
      const { source } = this.parts;
      const description = `${absence === undefined ? "change" : "snapshot"} of ${source}`;
      const commit = { id, source, from: source, description, changes };
      if (meant.replaced.size > 0) {
        const { record } = await this.parts.committer.commit({ ...commit, options: { simulate: true } });
        keepReplaced(changes, meant, record);
      }
      const committed = await this.parts.committer.commit(commit);
      this.noteRefused(changes, committed);
      const result = this.result(id, committed.record, meant, errors);
      await turnBetween(changes.size);
      // Not awaited in here: the next change can begin while this one is being written to disk.
      return { conclusion: this.conclude(result, committed, meant, notes) };
    });
    const result = await conclusion;
    if (absence !== undefined) this.parts.spoken(absence);
    return result;
  }

  /** Nothing to apply; how far the source has read is stored all the same. */
  private async unchanged(
    id: string,
    errors: readonly string[],
    meant: Meant<SourceItem>,
    others: ReadonlyMap<string, unknown>,
  ): Promise<TransactionResult> {
    this.parts.reviewed();
    const notes = new Map([...others, ...this.renamed(meant, new Map())]);
    if (notes.size > 0) await this.parts.store.write({ notes });
    return nothingToDo(id, errors);
  }

  /** What the source has lost, and what it speaks of again. Returns the notes that say so. */
  private marks(
    { values }: Meant<SourceItem>,
    badKeys: ReadonlySet<string>,
    absence: Absence | undefined,
  ): ReadonlyMap<string, unknown> {
    const unread = [...badKeys].flatMap((key) => [key, ...this.parts.keys.under(key)]);
    const heard = new Set([...values.keys(), ...unread]);
    const notes = this.parts.desired.unmarkOrphans(this.parts.source, heard);
    if (absence?.kind === "unknown") {
      const lost = [...this.parts.desired.of(this.parts.source).keys()].filter((key) => !heard.has(key));
      const mark = { reason: absence.reason, since: new Date().toISOString() };
      for (const [name, note] of this.parts.desired.markOrphans(this.parts.source, lost, mark)) notes.set(name, note);
    }
    return notes;
  }

  private moved(position: SourcePosition | undefined): ReadonlyMap<string, SourcePosition> {
    if (position === undefined) return new Map();
    this.lastPosition = position;
    return new Map([[this.note, position]]);
  }

  private result(id: string, record: TransactionRecord, meant: Meant<SourceItem>, errors: string[]): TransactionResult {
    for (const status of invalidIn(record)) {
      const item = meant.items.get(status.key);
      const reason = invalidReason(status);
      errors.push(reason);
      if (item !== undefined) this.parts.events.publish(deadLetterOf(this.parts.source, item, reason));
    }
    const error = [record.error, summary(errors)].find((text) => text !== "") ?? "";
    const outcome = errors.length > 0 ? "PARTIAL" : outcomeOf(record);
    return resultOf(id, outcome, record, error);
  }

  private async conclude(
    result: TransactionResult,
    { applied, yielded }: Committed,
    meant: Meant<SourceItem>,
    notes: ReadonlyMap<string, unknown>,
  ): Promise<TransactionResult> {
    const givenUp = this.parts.desired.giveUp(yielded);
    return await this.parts.committer.conclude(result, {
      values: { source: this.parts.source, changes: applied },
      others: givenUp.others,
      notes: new Map([...givenUp.notes, ...notes, ...this.renamed(meant, applied)]),
    });
  }

  /** Notes of the keys that values came under: those that were applied, and those that are as before but called otherwise. */
  private renamed({ values, shortKeys }: Meant<SourceItem>, applied: Changes): ReadonlyMap<string, unknown> {
    const current = this.parts.desired.of(this.parts.source);
    const unchanged = [...values].filter(
      ([key, value]) => value !== undefined && !applied.has(key) && current.has(key),
    );
    return this.parts.keys.noteKeys(new Map([...applied, ...unchanged]), shortKeys);
  }

  private refuseClaims({ refused }: Meant<SourceItem>): readonly string[] {
    return refused.map(({ said: { itemKey, key, item }, holder }) => {
      const other = itemKey === key ? "" : `${itemKey} means this value, and `;
      const reason = `${key}: ${other}${holder} has set it before; it is taken when that one goes`;
      this.parts.events.publish(deadLetterOf(this.parts.source, item, reason));
      return reason;
    });
  }

  private async decode(items: readonly SourceItem[]): Promise<Decoded> {
    const said: Said<SourceItem>[] = [];
    const badKeys = new Set<string>();
    const errors: string[] = [];
    const slices = new Slices();
    for (const [index, item] of items.entries()) {
      if (index % SOME === 0 && slices.isOver) await slices.next();
      try {
        said.push(this.decodeItem(item));
      } catch (error) {
        if (!(error instanceof InvalidInputError)) throw error;
        const { message } = refusalOf(error, item);
        errors.push(message);
        badKeys.add(item.key).add(error.key ?? item.key);
        this.parts.events.publish(deadLetterOf(this.parts.source, item, message));
      }
    }
    return { said, badKeys, errors };
  }

  private decodeItem(item: SourceItem): Said<SourceItem> {
    if (item.value === undefined) {
      const key = this.parts.registry.normaliseKey(item.key);
      return { itemKey: key, key, value: undefined, item };
    }
    const { key, value, shortKey = key } = this.parts.registry.decode(item.key, item.value, item.contentType);
    return { itemKey: shortKey, key, value, item };
  }

  private noteRefused(changes: Changes, { applied }: Committed): void {
    for (const key of changes.keys()) {
      if (applied.has(key)) this.refused.delete(key);
      else this.refused.add(key);
    }
  }

  /** What a snapshot changes. */
  private differences(
    { values }: Meant<SourceItem>,
    badKeys: ReadonlySet<string>,
    { kind }: Absence,
  ): Map<string, object | undefined> {
    const current = this.parts.desired.of(this.parts.source);
    const changes = new Map<string, object | undefined>();
    // An item without a value is a delete, whatever its absence would mean.
    for (const [key, value] of values) if (value === undefined && current.has(key)) changes.set(key, undefined);
    for (const key of kind === "unknown" ? [] : [...current.keys(), ...this.refused]) {
      const isLost = kind === "continuous" && this.parts.desired.isMarked(this.parts.source, key);
      if (!isLost && values.get(key) === undefined && !badKeys.has(this.parts.keys.itemOf(key)))
        changes.set(key, undefined);
    }
    for (const [key, value] of values) {
      if (value === undefined) continue;
      // What was lost may have given way to a transaction that waits for its confirmation: it is said again.
      const isNews = this.refused.has(key) || this.parts.desired.isMarked(this.parts.source, key);
      if (isNews || !isDeepStrictEqual(value, current.get(key))) changes.set(key, value);
    }
    return changes;
  }
}

/** A value whose item means another one now stays when that one is invalid, as the value before an invalid one always does. */
function keepReplaced(
  changes: Map<string, object | undefined>,
  { replaced }: Meant<SourceItem>,
  record: TransactionRecord,
): void {
  const invalid = new Set(invalidIn(record).map(({ key }) => key));
  for (const [before, now] of replaced) if (invalid.has(now)) changes.delete(before);
}

function nothingToDo(id: string, errors: readonly string[]): TransactionResult {
  const outcome = errors.length > 0 ? "REJECTED" : "APPLIED";
  return { id, seq: 0, outcome, error: summary(errors), values: [], operations: [] };
}
