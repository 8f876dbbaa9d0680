import type { Slices } from "../../slices.js";
import type { ValueRecord } from "../api/scheduler.js";
import type { Descriptors } from "../graph/descriptors.js";
import type { Graph } from "../graph/graph.js";
import type { Moment, Node, ValueCondition } from "../graph/node.js";
import { conditionOf, isShown } from "./status.js";
import { asked } from "./views.js";

export interface TimelineLimits {
  /** Records of the past kept at most, over all keys. 0: the past is not remembered. */
  readonly maxRecords: number;
  /** How long a record of the past is kept after it ended, ms. */
  readonly maxAge: number;
}

export const DEFAULT_TIMELINE: TimelineLimits = { maxRecords: 20_000, maxAge: 24 * 3_600_000 };

/** What a key was until it changed. */
interface Past {
  readonly key: string;
  readonly derivedFrom: string | undefined;
  readonly value: object;
  readonly condition: ValueCondition;
  readonly since: Moment;
  readonly until: number;
}

/**
 * What every key was, and from when to when. The present is in the nodes themselves, so that a value that comes and stays costs
 * three fields and no object; only a change of something that was there makes a record.
 */
export class Timeline {
  /** In the order in which they ended; those before `first` are forgotten. */
  private past: Past[] = [];
  private first = 0;
  private readonly byKey = new Map<string, Past[]>();
  /** Of the past up to this time something has been forgotten, ms since the epoch. */
  private forgottenUntil = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly graph: Graph,
    private readonly descriptors: Descriptors,
    private readonly limits: TimelineLimits,
  ) {}

  /** Compares nodes with what was recorded of them last. Returns those of which now something else is said. */
  async record(nodes: Iterable<Node>, moment: Moment, slices: Slices): Promise<readonly Node[]> {
    const changed: Node[] = [];
    for (const node of nodes) {
      if (slices.isDue) await slices.next();
      this.recordNode(node, moment, changed);
    }
    this.forgetOld(moment.time);
    return changed;
  }

  ofKey(key: string): readonly ValueRecord[] {
    const records = (this.byKey.get(key) ?? []).map((each) => this.pastRecord(each));
    const node = this.graph.get(key);
    const present = node === undefined ? undefined : this.presentRecord(node);
    return present === undefined ? records : [...records, present];
  }

  /** Everything that is remembered, in no order. */
  *all(): IterableIterator<ValueRecord> {
    for (let i = this.first; i < this.past.length; i++) {
      const past = this.past[i];
      if (past !== undefined) yield this.pastRecord(past);
    }
    for (const node of this.graph.all()) {
      const present = this.presentRecord(node);
      if (present !== undefined) yield present;
    }
  }

  /** Is everything known that was so at this time? */
  reaches(time: number): boolean {
    return time >= this.forgottenUntil;
  }

  private recordNode(node: Node, moment: Moment, changed: Node[]): void {
    const shown = isShown(node);
    const condition = shown ? conditionOf(this.graph, node) : undefined;
    const value = shown ? shownValue(node) : undefined;
    const same = sameCondition(condition, node.recordedCondition);
    if (same && value === node.recordedValue) return;
    if (!same) changed.push(node);
    this.remember(node, moment);
    node.recordedCondition = condition;
    node.recordedValue = value;
    node.recordedAt = condition === undefined ? undefined : moment;
    // Derived values are shown or not with their base.
    for (const child of node.derived ?? []) this.recordNode(child, moment, changed);
  }

  /** Keeps what was recorded of a node, which from now on is past. */
  private remember(node: Node, { time }: Moment): void {
    const { key, recordedAt: since, recordedCondition: condition, recordedValue: value } = node;
    if (since === undefined || condition === undefined || value === undefined) return;
    const past: Past = { key, derivedFrom: node.base?.key, value, condition, since, until: time };
    this.past.push(past);
    const others = this.byKey.get(key);
    if (others === undefined) this.byKey.set(key, [past]);
    else others.push(past);
  }

  private forgetOld(now: number): void {
    const { maxRecords, maxAge } = this.limits;
    for (let oldest = this.past[this.first]; oldest !== undefined; oldest = this.past[++this.first]) {
      if (this.past.length - this.first <= maxRecords && now - oldest.until <= maxAge) break;
      this.forgottenUntil = oldest.until;
      const others = this.byKey.get(oldest.key);
      others?.shift();
      if (others?.length === 0) this.byKey.delete(oldest.key);
    }
    if (this.first > this.past.length / 2) {
      this.past = this.past.slice(this.first);
      this.first = 0;
    }
  }

  private presentRecord(node: Node): ValueRecord | undefined {
    const { key, base, recordedAt: since, recordedCondition: condition, recordedValue: value } = node;
    if (since === undefined || condition === undefined || value === undefined) return undefined;
    return this.toRecord({ key, derivedFrom: base?.key, value, condition, since }, undefined);
  }

  private pastRecord(past: Past): ValueRecord {
    return this.toRecord(past, past.until);
  }

  private toRecord(
    { key, derivedFrom, value, condition, since }: Omit<Past, "until">,
    until: number | undefined,
  ): ValueRecord {
    return {
      key,
      ...condition,
      value,
      descriptor: this.descriptors.forKey(key)?.name,
      derivedFrom,
      since: since.time,
      until,
      transaction: since.transaction,
    };
  }
}

function shownValue(node: Node): object {
  return node.value ?? asked(node) ?? {};
}

function sameCondition(a: ValueCondition | undefined, b: ValueCondition | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.state !== b.state || a.error !== b.error) return false;
  return a.details.length === b.details.length && a.details.every((detail, i) => detail === b.details[i]);
}
