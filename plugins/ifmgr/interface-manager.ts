import { setTimeout as wait } from "node:timers/promises";
import { BugError, errorMessage } from "#core/errors.js";
import type { HealthReporter } from "#core/health/types.js";
import type { Logger } from "#core/logging/types.js";
import type { EventPublisher, GateContext } from "#core/northbound/index.js";
import type { Scheduler } from "#core/scheduler/api/token.js";
import type { HostInterfaces } from "#plugins/interface-watcher/index.js";
import { Applied } from "./applied.js";
import { beginning } from "./beginning.js";
import type { IfmgrConfig } from "./config.js";
import { type InterfaceConfiguration, interfaceConfigurations } from "./configuration.js";
import { type GateListener, InterfaceGate } from "./gate.js";
import { configuredHooks, type Hook, registeredHooks } from "./hooks/hook.js";
import type { Machine, MachineEvent } from "./machine.js";
import { ManagedInterface } from "./managed-interface.js";
import type { Notes, Remembered } from "./notes.js";
import { Registrations } from "./registrations.js";
import { eventOf, notifications, statusOf } from "./status.js";
import { InterfaceWorks } from "./works.js";

export interface InterfaceManagerOptions {
  readonly config: IfmgrConfig;
  readonly label: string;
  readonly scheduler: Scheduler;
  readonly publisher: EventPublisher;
  readonly notes: Notes;
  /** Left out: interfaces are plugged and unplugged by request only. */
  readonly present: HostInterfaces | undefined;
  readonly health: HealthReporter;
  readonly log: Logger;
}

type Managed = ManagedInterface<InterfaceConfiguration>;

const LONGEST_PAUSE = 60_000;

/** The registered interfaces, each with its machine, from registration to shutdown. */
export class InterfaceManager implements GateListener {
  readonly gate: InterfaceGate;
  readonly registrations: Registrations;
  private readonly options: InterfaceManagerOptions;
  private readonly applied = new Applied();
  private readonly managed = new Map<string, Managed>();
  /** Interfaces that were last announced as plugged. */
  private readonly announced = new Set<string>();
  private readonly closing = new AbortController();
  private remembered: ReadonlyMap<string, Remembered> = new Map();
  private context: GateContext | undefined;
  private begun = false;
  private unwatch: () => void = () => undefined;

  constructor(options: InterfaceManagerOptions) {
    this.options = options;
    this.registrations = new Registrations(options.config.interfaces);
    this.gate = new InterfaceGate(this.registrations, this.applied, options.scheduler, this);
  }

  /** What an earlier run applied is applied still, for interfaces that are registered still. */
  opened(context: GateContext): void {
    this.context = context;
    this.remembered = this.options.notes.load();
    for (const [hostName, { running }] of this.remembered) {
      if (this.registrations.has(hostName)) this.applied.set(hostName, running);
      else void this.note(hostName, this.options.notes.forget(hostName));
    }
  }

  /** Starts the machines. To be called after the first resync was handed in. */
  begin(): void {
    this.begun = true;
    this.unwatch = this.options.present?.watch((hostName, present) => this.came(hostName, present)) ?? this.unwatch;
    this.restaged(new Set());
    this.remembered = new Map();
  }

  /** Hears nothing more and begins nothing more. Hook programs are stopped; what was handed over is waited for. */
  async close(): Promise<void> {
    this.unwatch();
    this.closing.abort();
    await Promise.all([...this.managed.values()].map((managed) => managed.close()));
  }

  isRunning(hostName: string): boolean {
    return this.managed.has(hostName);
  }

  waitsFor(hostName: string): string {
    switch (this.managed.get(hostName)?.machine.state) {
      case "APPLYING":
      case "PLUGGED":
        return `application to ${hostName}`;
      case "SHUTTINGDOWN":
        return `end of work on ${hostName}`;
      default:
        return `plug of ${hostName}`;
    }
  }

  restaged(changed: ReadonlySet<string>): void {
    if (!this.begun) return;
    for (const [hostName, managed] of this.managed) {
      if (!this.registrations.has(hostName)) managed.send({ type: "kill" });
    }
    for (const hostName of changed) this.stage(hostName);
    for (const hostName of this.desired()) if (!this.managed.has(hostName)) this.manage(hostName);
  }

  passed(transaction: Promise<unknown>): void {
    transaction.catch((error: unknown) =>
      this.options.log.warn({ error: errorMessage(error) }, "what was held back could not be handed over"),
    );
  }

  /** The latest configuration is handed to every machine, changed or not. */
  async apply(): Promise<void> {
    await this.context?.settled();
    for (const hostName of this.managed.keys()) this.stage(hostName);
  }

  /** An event for an interface that is not managed is ignored. */
  send(hostName: string, event: MachineEvent<InterfaceConfiguration>): void {
    this.managed.get(hostName)?.send(event);
  }

  /** `tenuto.ifmgr.InterfaceStatus` of one interface or of all, by name. */
  statuses(hostName?: string): readonly object[] {
    return [...this.managed]
      .filter(([name]) => hostName === undefined || name === hostName)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, managed]) => statusOf(name, managed));
  }

  /** Interfaces that are to have a machine. One that is registered by pattern has it while there is something to it. */
  private desired(): ReadonlySet<string> {
    const candidates = [...this.gate.staged(), ...(this.options.present?.names() ?? []), ...this.remembered.keys()];
    return new Set([
      ...this.registrations.names(),
      ...candidates.filter((hostName) => this.registrations.matchesPattern(hostName)),
    ]);
  }

  private stage(hostName: string): void {
    const candidate = this.gate.candidate(hostName);
    this.send(hostName, candidate.size === 0 ? { type: "reset" } : { type: "apply", candidate });
  }

  private manage(hostName: string): void {
    const isPresent = this.options.present?.has(hostName);
    const isManual = this.registrations.valueOf(hostName)?.manual_plug ?? false;
    const machine = beginning({
      running: this.applied.of(hostName),
      remembered: this.remembered.get(hostName)?.state,
      isPresent,
      isManual,
    });
    const managed = this.newManaged(hostName, machine);
    this.managed.set(hostName, managed);
    this.stage(hostName);
    managed.start();
    if (isPresent === true && !isManual) managed.send({ type: "plug" });
  }

  private newManaged(hostName: string, machine: Machine<InterfaceConfiguration>): Managed {
    const { label, log, notes } = this.options;
    const context = this.context;
    if (context === undefined) throw new BugError("GATE_NOT_OPEN", "a machine was made before the gate was opened");
    const works = new InterfaceWorks({
      hostName,
      label,
      context,
      applied: this.applied,
      isForeign: (key) => this.gate.isForeign(key, hostName),
      hooks: () => this.hooks(hostName),
      closing: this.closing.signal,
      remember: (configuration) => this.note(hostName, notes.running(hostName, configuration)),
      log,
    });
    return new ManagedInterface(machine, {
      configurations: interfaceConfigurations,
      works,
      pause: (failures, signal) => this.pause(failures, signal),
      moved: (before, after) => this.moved(hostName, before, after),
    });
  }

  private moved(
    hostName: string,
    before: Machine<InterfaceConfiguration>,
    after: Machine<InterfaceConfiguration>,
  ): void {
    const { log, notes, publisher } = this.options;
    const managed = this.managed.get(hostName);
    if (managed === undefined) return;
    if (managed.lastEvent === "done") this.tellHealth(hostName, managed);
    if (after.state !== before.state) {
      const { lastEvent: event } = managed;
      log.info({ interface: hostName, from: before.state, to: after.state, event }, "an interface changed its state");
      if (after.state !== "SHUTDOWN") void this.note(hostName, notes.state(hostName, after.state));
    }
    for (const type of notifications(before, after, this.announced.has(hostName))) {
      publisher.publish(eventOf(hostName, type, statusOf(hostName, managed)));
    }
    if (after.state === "PLUGGED") this.announced.add(hostName);
    if (after.state === "UNPLUGGED") this.announced.delete(hostName);
    if (after.state === "SHUTDOWN") this.ended(hostName);
    else if (after.state === "UNPLUGGED" && !this.desired().has(hostName)) managed.send({ type: "kill" });
  }

  private tellHealth(hostName: string, { error }: Managed): void {
    const { health, log } = this.options;
    if (error !== "") log.warn({ interface: hostName, error }, "not all went well");
    const failing = [...this.managed].find(([, managed]) => managed.isFailing);
    if (failing === undefined) health.ok();
    else health.degraded(`${failing[0]}: ${failing[1].error}; it is tried again`);
  }

  private ended(hostName: string): void {
    this.managed.delete(hostName);
    this.announced.delete(hostName);
    void this.note(hostName, this.options.notes.forget(hostName));
    this.gate.letGo(hostName);
    this.restaged(new Set());
  }

  private came(hostName: string, present: boolean): void {
    const managed = this.managed.get(hostName);
    if (managed === undefined) {
      if (present && this.registrations.matchesPattern(hostName)) this.manage(hostName);
      return;
    }
    const isManual = this.registrations.valueOf(hostName)?.manual_plug ?? false;
    if (!present) managed.send({ type: "unplug" });
    else if (!isManual) managed.send({ type: "plug" });
  }

  private hooks(hostName: string): readonly Hook[] {
    const { config } = this.options;
    const registered = this.registrations.valueOf(hostName)?.hooks ?? [];
    return [...configuredHooks(config, hostName), ...registeredHooks(registered, config)];
  }

  private async pause(failures: number, signal: AbortSignal): Promise<void> {
    const time = Math.min(this.options.config.retry_period * 2 ** Math.min(failures - 1, 20), LONGEST_PAUSE);
    await wait(time, undefined, { signal, ref: false }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  /** A note that cannot be written costs a restarted agent a look at the kernel, no more. */
  private async note(hostName: string, written: Promise<void>): Promise<void> {
    try {
      await written;
    } catch (error) {
      this.options.log.warn({ interface: hostName, error: errorMessage(error) }, "a note could not be written");
    }
  }
}
