import { randomUUID } from "node:crypto";
import type { ConfigGate, GateContext, HeldValue, KeyValue } from "#core/northbound/index.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import { REGISTRATION_PREFIX } from "#proto/index.js";
import type { Applied } from "./applied.js";
import type { InterfaceConfiguration } from "./configuration.js";
import type { Registrations } from "./registrations.js";
import { type Moved, Staging } from "./staging.js";

/** Whoever runs the interfaces' machines. */
export interface GateListener {
  /** Has the interface a machine? Until that has ended, nothing passes it by. */
  isRunning(hostName: string): boolean;
  /** What a held value of the interface waits for. */
  waitsFor(hostName: string): string;
  /** The gate knows what is desired, from now on. */
  opened(context: GateContext): void;
  /** Registrations, or the candidates of these interfaces, may have changed. */
  restaged(changed: ReadonlySet<string>): void;
  /** What was held goes to the scheduler. */
  passed(transaction: Promise<unknown>): void;
}

/**
 * Holds back what belongs to registered interfaces. A value is held while it belongs to one, or while a value that did is still
 * applied for one; what was handed to the scheduler for the interface stands in its place.
 */
export class InterfaceGate implements ConfigGate {
  readonly name = "ifmgr";
  private opened: { readonly context: GateContext; readonly staging: Staging } | undefined;

  constructor(
    private readonly registrations: Registrations,
    private readonly kept: Applied,
    private readonly scheduler: Scheduler,
    private readonly listener: GateListener,
  ) {}

  open(context: GateContext): void {
    const isManaged = (hostName: string): boolean =>
      this.registrations.has(hostName) || this.listener.isRunning(hostName);
    this.opened = { context, staging: new Staging(context.desired, isManaged) };
    this.registrations.read(context.desired);
    this.opened.staging.everything();
    this.listener.opened(context);
  }

  hold(key: string): HeldValue | undefined {
    if (this.opened === undefined) return undefined;
    const owner = this.opened.staging.ownerOf(key);
    const keptFor = this.kept.interfaceOf(key);
    const hostName = owner ?? keptFor;
    const passes = owner === undefined && this.opened.context.desired.get(key) !== undefined;
    if (hostName === undefined || passes) return undefined;
    const applied = keptFor === undefined ? undefined : this.kept.of(keptFor).get(key);
    return { applied, waitsFor: this.listener.waitsFor(hostName) };
  }

  applied(): Iterable<KeyValue> {
    return this.kept.values();
  }

  changed(keys: Iterable<string>): void {
    if (this.opened === undefined) return;
    const { context, staging } = this.opened;
    const list = [...keys];
    const registers = list.some((key) => key.startsWith(REGISTRATION_PREFIX));
    if (registers) this.registrations.read(context.desired);
    const { changed, moved } = staging.update(list);
    this.settle(moved);
    if (registers || changed.size > 0) this.listener.restaged(changed);
  }

  /** What the sources want for an interface. */
  candidate(hostName: string): InterfaceConfiguration {
    return this.opened?.staging.candidate(hostName) ?? new Map<string, object>();
  }

  /** Interfaces that something is desired for. */
  staged(): readonly string[] {
    return this.opened?.staging.hostNames() ?? [];
  }

  /** Is another value than an interface's own desired under the key? */
  isForeign(key: string, hostName: string): boolean {
    if (this.opened === undefined) return false;
    const { context, staging } = this.opened;
    return context.desired.get(key) !== undefined && staging.ownerOf(key) !== hostName;
  }

  /** The machine of an interface that is not registered any more has ended: what it held goes its way. */
  letGo(hostName: string): void {
    if (this.opened === undefined || this.registrations.has(hostName)) return;
    this.settle(this.opened.staging.everything().moved);
    const left = [...this.kept.of(hostName).keys()];
    this.kept.set(hostName, new Map());
    this.pass(left);
  }

  /** Values that begin to belong to an interface are its own as they are applied; those that cease to pass. */
  private settle(moved: readonly Moved[]): void {
    const passing: string[] = [];
    const adopted = new Map<string, Map<string, object>>();
    for (const { key, owner } of moved) {
      if (owner === undefined) {
        passing.push(key);
        continue;
      }
      const value = this.kept.interfaceOf(key) === undefined ? this.scheduler.desired(key) : undefined;
      if (value !== undefined) adopted.set(owner, (adopted.get(owner) ?? new Map(this.kept.of(owner))).set(key, value));
    }
    for (const [owner, configuration] of adopted) this.kept.set(owner, configuration);
    this.kept.release(passing);
    this.pass(passing);
  }

  /** Hands over what is desired under keys that nothing holds any more. */
  private pass(keys: readonly string[]): void {
    if (keys.length === 0 || this.opened === undefined) return;
    const { context } = this.opened;
    const changes = (): Map<string, object | undefined> =>
      new Map(keys.filter((key) => this.hold(key) === undefined).map((key) => [key, context.desired.get(key)]));
    this.listener.passed(
      context.apply({ id: `ifmgr-${randomUUID()}`, description: "ifmgr: not held any more", changes }),
    );
  }
}
