import { isDeepStrictEqual } from "node:util";
import type { ConfigGate, EventPublisher, HeldValue, KeyValue, ValueStatus } from "#core/northbound/index.js";
import type { TransactionRecord, ValueStatusRecord } from "#core/scheduler/api/scheduler.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import type { Changes, DesiredState } from "./desired-state.js";
import { invalidIn } from "./results.js";

/** A commit as it is divided between the scheduler and the gates. */
export interface Divided {
  /** Goes to the scheduler now. */
  readonly now: Changes;
  readonly held: ReadonlyMap<string, HeldValue>;
}

const NOTHING_HELD: ReadonlyMap<string, HeldValue> = new Map();

/** The {@link ConfigGate}s of the flavor, seen as one: the first that holds a key has the say over it. */
export class Gates {
  private gates: readonly ConfigGate[] = [];

  constructor(
    private readonly desired: DesiredState,
    private readonly scheduler: Scheduler,
    private readonly events: EventPublisher,
  ) {}

  use(gates: readonly ConfigGate[]): void {
    this.gates = gates;
  }

  /**
   * Which of a source's changes, which count as desired already, are committed now. What is held is checked all the same: the
   * scheduler gets the values it refuses.
   */
  async divide(source: string, changes: Changes): Promise<Divided> {
    const keys = changes.keys();
    // Nobody else has a say.
    if (this.gates.length === 0 && !this.desired.hasOtherSource(source)) return { now: changes, held: NOTHING_HELD };
    const now = new Map<string, object | undefined>();
    const held = new Map<string, HeldValue>();
    for (const key of keys) {
      const hold = this.hold(key);
      if (hold === undefined) now.set(key, this.desired.value(key));
      else held.set(key, hold);
    }
    for (const key of await this.refusedAmong(held.keys())) {
      now.set(key, this.desired.value(key));
      held.delete(key);
    }
    return { now, held };
  }

  /** Everything that is to be applied now: what is desired, less what is held, and what the gates keep applied instead. */
  effective(): ReadonlyMap<string, object> {
    const values = new Map<string, object>();
    for (const { key, value } of this.desired.merged()) {
      const hold = this.hold(key);
      const applied = hold === undefined ? value : hold.applied;
      if (applied !== undefined) values.set(key, applied);
    }
    for (const gate of this.gates) {
      for (const { key, value } of gate.applied()) if (!values.has(key)) values.set(key, value);
    }
    return values;
  }

  /** A commit counts. */
  changed(keys: Iterable<string>): void {
    if (this.gates.length === 0) return;
    const list = [...keys];
    for (const gate of this.gates) gate.changed(list);
    this.announce(list);
  }

  /** Tells the world of values that wait, since the scheduler does not know them. */
  announce(keys: Iterable<string>): void {
    if (this.gates.length === 0) return;
    for (const key of keys) {
      const [waiting] = this.waiting([key]);
      if (waiting !== undefined) this.events.publish({ kind: "value", key, data: waiting });
    }
  }

  /** The scheduler's record of a commit together with what was held, in the order of `keys`. */
  complete(record: TransactionRecord, { held }: Divided, keys: Iterable<string>): TransactionRecord {
    if (held.size === 0) return record;
    const known = new Map(record.values.map((status) => [status.key, status]));
    const values = [...keys].flatMap((key) => {
      const hold = held.get(key);
      const status = hold === undefined ? known.get(key) : this.heldStatus(key, hold);
      return status === undefined ? [] : [status];
    });
    return { ...record, values };
  }

  /** The statuses of the scheduler together with those of values that wait, in key order. */
  withHeld(statuses: readonly ValueStatus[], prefix = ""): readonly ValueStatus[] {
    if (this.gates.length === 0) return statuses;
    const waiting = new Map(
      this.waiting(this.desired.merged(prefix).map(({ key }) => key)).map((one) => [one.key, one]),
    );
    if (waiting.size === 0) return statuses;
    const merged = statuses.map((status) => {
      const own = waiting.get(status.key);
      waiting.delete(status.key);
      return own === undefined ? status : { ...status, details: [...status.details, ...own.details] };
    });
    return [...merged, ...waiting.values()].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  }

  /** The desired values under a prefix that are held. */
  heldValues(prefix = ""): readonly KeyValue[] {
    if (this.gates.length === 0) return [];
    return this.desired.merged(prefix).filter(({ key }) => this.hold(key) !== undefined);
  }

  private hold(key: string): HeldValue | undefined {
    for (const gate of this.gates) {
      const hold = gate.hold(key);
      if (hold !== undefined) return hold;
    }
    return undefined;
  }

  /** The values that a transaction of them would not get past. */
  private async refusedAmong(keys: Iterable<string>): Promise<readonly string[]> {
    const changes = [...keys].map((key) => [key, this.desired.get(key)?.value] as const);
    if (changes.length === 0) return [];
    const record = await this.scheduler.commit({ description: "check of values that wait", changes, simulate: true });
    const invalid = new Set(invalidIn(record).map(({ key }) => key));
    return record.values
      .filter((status) => invalid.has(status.key) || status.derived.some(({ key }) => invalid.has(key)))
      .map(({ key }) => key);
  }

  private waiting(keys: Iterable<string>): readonly ValueStatus[] {
    const waiting: ValueStatus[] = [];
    for (const key of keys) {
      const desired = this.desired.get(key);
      const hold = desired === undefined ? undefined : this.hold(key);
      if (hold === undefined || isDeepStrictEqual(hold.applied, desired?.value)) continue;
      const { state, error, details } = this.heldStatus(key, hold);
      waiting.push({ key, state, error, last_operation: "UNDEFINED", details });
    }
    return waiting;
  }

  private heldStatus(key: string, { waitsFor }: HeldValue): ValueStatusRecord {
    return { key, state: "PENDING", error: "", lastOperation: "UNDEFINED", details: [waitsFor], derived: [] };
  }
}
