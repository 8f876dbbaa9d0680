import type { DesiredView } from "#core/northbound/index.js";
import { INTERFACE_PREFIX, REGISTRATION_PREFIX } from "#proto/index.js";
import type { InterfaceConfiguration } from "./configuration.js";
import { ownerOf } from "./ownership.js";

/** A key that used to belong to one registered interface, or none, and now belongs to another, or none. */
export interface Moved {
  readonly key: string;
  readonly owner: string | undefined;
}

/** What a change of the desired state means for the registered interfaces. */
export interface Restaged {
  /** Interfaces with another candidate than before. */
  readonly changed: ReadonlySet<string>;
  /** Desired values whose owner is another than before. */
  readonly moved: readonly Moved[];
}

/**
 * The candidate configuration of every registered interface, told from the desired state. A change costs what it touches; only
 * when interfaces begin or cease to belong to registered ones is everything looked at again.
 */
export class Staging {
  private readonly owners = new Map<string, string>();
  private readonly candidates = new Map<string, Map<string, object>>();

  constructor(
    private readonly desired: DesiredView,
    private readonly isRegistered: (hostName: string) => boolean,
  ) {}

  /** The owner of what is desired under a key as of now. */
  ownerOf(key: string): string | undefined {
    const value = this.desired.get(key);
    return value === undefined ? undefined : this.ownerOfValue(key, value);
  }

  /** Interfaces with a candidate that is not empty. */
  hostNames(): readonly string[] {
    return [...this.candidates.keys()];
  }

  /** A copy: candidates are values to whoever gets them. */
  candidate(hostName: string): InterfaceConfiguration {
    return new Map(this.candidates.get(hostName));
  }

  /** What is desired under these keys has changed. */
  update(keys: Iterable<string>): Restaged {
    const list = [...keys];
    const shifts = list.some(
      (key) =>
        key.startsWith(REGISTRATION_PREFIX) ||
        (key.startsWith(INTERFACE_PREFIX) && this.ownerOf(key) !== this.owners.get(key)),
    );
    if (shifts) return this.everything();
    return this.stage(list);
  }

  /** Looks at everything that is or was desired. */
  everything(): Restaged {
    return this.stage(new Set([...this.owners.keys(), ...this.desired.merged().map(({ key }) => key)]));
  }

  private stage(keys: Iterable<string>): Restaged {
    const changed = new Set<string>();
    const moved: Moved[] = [];
    for (const key of keys) {
      const value = this.desired.get(key);
      const owner = value === undefined ? undefined : this.ownerOfValue(key, value);
      const before = this.owners.get(key);
      if (owner !== before) {
        if (value !== undefined) moved.push({ key, owner });
        if (before !== undefined) this.take(before, key, changed);
      }
      if (owner !== undefined && value !== undefined) this.put(owner, key, value, changed);
    }
    return { changed, moved };
  }

  private ownerOfValue(key: string, value: object): string | undefined {
    const { desired, isRegistered } = this;
    return ownerOf({ desired: (name) => desired.get(name), isRegistered }, key, value);
  }

  private take(owner: string, key: string, changed: Set<string>): void {
    this.owners.delete(key);
    const candidate = this.candidates.get(owner);
    candidate?.delete(key);
    if (candidate?.size === 0) this.candidates.delete(owner);
    changed.add(owner);
  }

  private put(owner: string, key: string, value: object, changed: Set<string>): void {
    const candidate = this.candidates.get(owner) ?? new Map<string, object>();
    if (candidate.get(key) === value) return;
    this.owners.set(key, owner);
    this.candidates.set(owner, candidate.set(key, value));
    changed.add(owner);
  }
}
