import { deepEqual } from "#core/scheduler/api/equality.js";
import type { Dependency, Descriptor, KeyedValue, RetrievedValue } from "#core/scheduler/api/scheduler.js";
import { createMetadataMap } from "#core/scheduler/index.js";

/** A value of the tests' southbound: what it needs, what derives from it, and a field that can (or cannot) be changed in place. */
export interface Thing {
  readonly needs?: readonly string[];
  /** Prefixes, of which one present key each is needed. */
  readonly needsAny?: readonly string[];
  readonly peer?: string;
  readonly parts?: Readonly<Record<string, Thing>>;
  readonly size?: number;
  /** A change of it needs re-creation. */
  readonly shape?: number;
  readonly claim?: string;
  readonly bad?: boolean;
}

export interface Call {
  readonly operation: "create" | "update" | "delete";
  readonly key: string;
}

/** What is in the southbound, in memory, with faults on demand. It checks that no value is ever there without what it needs. */
export class Southbound {
  readonly values = new Map<string, Thing>();
  /** Keys that do not belong to us. */
  readonly foreign = new Set<string>();
  /** Values that we have taken over, as they were before. */
  private readonly takenOver = new Map<string, Thing>();
  readonly calls: Call[] = [];
  /** Broken promises of the scheduler, in words. */
  readonly violations: string[] = [];
  /** Operations (`create a`) that fail, and how often. */
  readonly faults = new Map<string, number>();
  /** Failing operations that take effect all the same. */
  readonly halfDone = new Set<string>();
  running = 0;
  mostRunning = 0;

  /**
   * @param circles what becomes of values that only keep each other alive, after a removal failed or somebody else removed what
   * they rested on: no order of removing them leaves each with what it needs. `excused` looks at all other values only.
   */
  constructor(
    private readonly pace: () => Promise<void> = () => Promise.resolve(),
    private readonly circles: "checked" | "excused" = "checked",
  ) {}

  /** A descriptor for the keys under a prefix. Derived keys are under the base's key, behind `#`. */
  descriptor(prefix: string, extra: Partial<Descriptor<Thing, number>> = {}): Descriptor<Thing, number> {
    return {
      name: `descriptor of ${prefix}`,
      prefix,
      validate: (_key, value) => (value.bad === true ? [{ field: "bad", problem: "is true, expected false" }] : []),
      create: (key, value) => this.perform("create", key, value),
      update: (key, _old, value) => this.perform("update", key, value),
      delete: async (key) => {
        await this.perform("delete", key, undefined);
      },
      updateWithRecreate: (_key, old, value) => old.shape !== value.shape,
      dependencies: (_key, value) => dependenciesOf(value),
      derivedValues: (key, value) => partsOf(key, value),
      claims: (_key, value) => (value.claim === undefined ? [] : [value.claim]),
      retrieve: async (_correlate, only) => this.retrieve(prefix, only),
      metadataMap: createMetadataMap<number>((size) => ({ size: String(size) })),
      ...extra,
    };
  }

  /** What a descriptor has that takes many values in one call. */
  together(): Pick<Descriptor<Thing, number>, "createMany" | "deleteMany"> {
    return {
      createMany: (values) => Promise.allSettled(values.map(({ key, value }) => this.perform("create", key, value))),
      deleteMany: (values) =>
        Promise.allSettled(
          values.map(async ({ key }) => {
            await this.perform("delete", key, undefined);
          }),
        ),
    };
  }

  private async perform(operation: Call["operation"], key: string, value: Thing | undefined): Promise<number> {
    this.running++;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    await this.pace();
    this.running--;
    this.calls.push({ operation, key });
    const name = `${operation} ${key}`;
    const faults = this.faults.get(name) ?? 0;
    if (faults > 0) this.faults.set(name, faults - 1);
    if (faults === 0 || this.halfDone.has(name)) this.take(operation, key, value);
    if (faults > 0) throw new Error(`${name} was made to fail`);
    return value?.size ?? 0;
  }

  private take(operation: Call["operation"], key: string, value: Thing | undefined): void {
    if (operation === "create" && this.values.has(key) && !this.foreign.has(key))
      this.violations.push(`${key} was created twice`);
    if (operation !== "create" && !this.values.has(key))
      this.violations.push(`${operation} of ${key}, which is not there`);
    this.changeOwner(key, value);
    const grounded = this.circles === "excused" ? this.grounded() : undefined;
    if (value === undefined) this.remove(key);
    else this.values.set(key, withoutParts(value));
    for (const [orphan, need] of this.orphans()) {
      const excused = grounded !== undefined && orphan !== key && !grounded.has(orphan);
      if (!excused) this.violations.push(`after ${operation} ${key}: ${orphan} without ${need}`);
    }
  }

  /** A value that we change is ours, until it is put back as it was. */
  private changeOwner(key: string, value: Thing | undefined): void {
    const before = this.takenOver.get(key);
    this.takenOver.delete(key);
    if (before !== undefined && value !== undefined && deepEqual(before, withoutParts(value))) {
      this.foreign.add(key);
    } else if (this.foreign.delete(key)) {
      this.takenOver.set(key, this.values.get(key) ?? {});
    } else if (before !== undefined && value !== undefined) this.takenOver.set(key, before);
  }

  /** What somebody else has derived from a value goes with it. */
  private remove(key: string): void {
    this.values.delete(key);
    for (const part of [...this.foreign].filter((each) => each.startsWith(`${key}#`))) {
      this.values.delete(part);
      this.foreign.delete(part);
    }
  }

  /** Somebody else puts a value there, in place of ours if there is one. */
  putForeign(key: string, value: Thing): void {
    this.remove(key);
    this.put(key, value);
    for (const each of this.values.keys()) if (each === key || each.startsWith(`${key}#`)) this.foreign.add(each);
    this.takenOver.delete(key);
  }

  /** Somebody else takes away what he has put there, with its parts. */
  takeForeign(key: string): void {
    this.foreign.delete(key);
    this.remove(key);
  }

  /** Values that do not need themselves in the end: those that could have been made one after the other. */
  private grounded(): ReadonlySet<string> {
    const found = new Set(this.foreign);
    for (let before = -1; before !== found.size; ) {
      before = found.size;
      for (const [key, { needs = [], needsAny = [] }] of this.values) {
        const base = baseOf(key);
        const stands =
          (base === undefined || found.has(base)) &&
          needs.every((need) => found.has(need)) &&
          needsAny.every((prefix) => [...found].some((other) => this.values.has(other) && other.startsWith(prefix)));
        if (stands) found.add(key);
      }
    }
    return found;
  }

  /** Puts a value there with its parts, as somebody else would. */
  put(key: string, value: Thing): void {
    for (const other of [...this.values.keys()]) if (other.startsWith(`${key}#`)) this.values.delete(other);
    this.values.set(key, withoutParts(value));
    for (const { key: part, value: own } of partsOf(key, value)) this.put(part, own);
  }

  /** Removes what is there without what it needs, and what needs that, as a kernel does when a link is deleted. */
  removeOrphans(): void {
    for (let before = -1; before !== this.values.size; ) {
      before = this.values.size;
      for (const [key] of this.orphans()) this.values.delete(key);
    }
  }

  /** Values of ours that are there without something that they need. */
  private *orphans(): IterableIterator<[key: string, need: string]> {
    for (const [key, value] of this.values) {
      if (this.foreign.has(key)) continue;
      const base = baseOf(key);
      if (base !== undefined && !this.values.has(base)) yield [key, "its base"];
      for (const need of value.needs ?? []) if (!this.values.has(need)) yield [key, need];
      for (const prefix of value.needsAny ?? []) {
        const found = [...this.values.keys()].some((other) => other !== key && other.startsWith(prefix));
        if (!found) yield [key, `any ${prefix}*`];
      }
    }
  }

  private retrieve(prefix: string, only: ReadonlySet<string> | undefined): RetrievedValue<Thing, number>[] {
    return [...this.values.keys()]
      .filter((key) => key.startsWith(prefix) && !key.includes("#") && (only?.has(key) ?? true))
      .map((key) => ({
        key,
        value: this.assemble(key),
        origin: this.foreign.has(key) ? "southbound" : "northbound",
        metadata: this.values.get(key)?.size ?? 0,
      }));
  }

  /** A descriptor's `retrieve` that answers with the very objects it got for what is in the southbound just as expected. */
  recalling(prefix: string): Pick<Descriptor<Thing, number>, "retrieve"> {
    return {
      retrieve: async (correlate, only) => {
        const expected = new Map(correlate.map((each) => [each.key, each]));
        return this.retrieve(prefix, only).map((found) => {
          const known = expected.get(found.key);
          return known !== undefined && deepEqual({ ...known }, found) ? known : found;
        });
      },
    };
  }

  /** A value with the parts that are there. */
  private assemble(key: string): Thing {
    const own = this.values.get(key) ?? {};
    const parts = [...this.values.keys()].filter(
      (other) => other.startsWith(`${key}#`) && !other.slice(key.length + 1).includes("#"),
    );
    if (parts.length === 0) return own;
    return {
      ...own,
      parts: Object.fromEntries(parts.map((part) => [part.slice(key.length + 1), this.assemble(part)])),
    };
  }
}

/** The key that a derived one is under. */
function baseOf(key: string): string | undefined {
  return key.includes("#") ? key.slice(0, key.lastIndexOf("#")) : undefined;
}

/** Values are the same whatever the order of their parts. */
export function sameThing(a: Thing, b: Thing): boolean {
  return deepEqual(withoutParts(a), withoutParts(b));
}

export function dependenciesOf(value: Thing): Dependency[] {
  return [
    ...(value.needs ?? []).map((key) => ({ label: key, key })),
    ...(value.needsAny ?? []).map((prefix) => ({ label: `any ${prefix}`, anyOf: { prefixes: [prefix] } })),
    ...(value.peer === undefined ? [] : [{ label: `peer ${value.peer}`, peer: value.peer }]),
  ];
}

function partsOf(key: string, value: Thing): KeyedValue[] {
  return Object.entries(value.parts ?? {}).map(([name, part]) => ({ key: `${key}#${name}`, value: part }));
}

export function withoutParts({ parts: _, ...own }: Thing): Thing {
  return own;
}
