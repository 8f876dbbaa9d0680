import { errorMessage } from "#core/errors.js";
import { type Configurations, type Machine, type MachineEvent, step, type Work } from "./machine.js";
import type { EventName } from "./transitions.js";

/** What work has led to. */
export interface WorkOutcome<C> {
  /** What runs now. */
  readonly running: C;
  /** Why it is not what it should be; empty when it is. */
  readonly error: string;
}

/** Does the work that a machine asks for: at any time one piece per interface. */
export interface Works<C> {
  apply(candidate: C, running: C): Promise<WorkOutcome<C>>;
  remove(running: C): Promise<WorkOutcome<C>>;
}

export interface ManagedInterfaceOptions<C> {
  readonly configurations: Configurations<C>;
  readonly works: Works<C>;
  /** Waits before failed work is tried again; `failures` counts from 1. Ends early, without an error, when aborted. */
  readonly pause: (failures: number, signal: AbortSignal) => Promise<void>;
  /** Called after every event that did something. */
  readonly moved: (before: Machine<C>, after: Machine<C>) => void;
}

/**
 * One registered interface: its state machine, and the work that the machine asks for, done one piece after the other.
 *
 * Work that does not lead to what it should is tried again after a pause. The pause ends early when something else is desired meanwhile, so that a
 * configuration that was put right is applied at once.
 */
export class ManagedInterface<C> {
  private readonly options: ManagedInterfaceOptions<C>;
  private currentMachine: Machine<C>;
  private eventName: EventName | undefined;
  private changedAt = new Date();
  private lastError = "";
  private failures = 0;
  private pausing = new AbortController();
  private working: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(machine: Machine<C>, options: ManagedInterfaceOptions<C>) {
    this.options = options;
    this.currentMachine = machine;
  }

  get machine(): Machine<C> {
    return this.currentMachine;
  }

  /** The event that brought it into its state, `undefined` for its first. */
  get lastEvent(): EventName | undefined {
    return this.eventName;
  }

  /** Since when it is in its state. */
  get since(): Date {
    return this.changedAt;
  }

  /** What went wrong in the last work, empty when nothing did. */
  get error(): string {
    return this.lastError;
  }

  /** The last work has not led to what it should, and is to be done again. */
  get isFailing(): boolean {
    return this.failures > 0;
  }

  /** Begins the work that a machine was made with. */
  start(): void {
    if (this.currentMachine.job !== undefined) this.begin(this.currentMachine.job, false);
  }

  send(event: MachineEvent<C>): void {
    const before = this.currentMachine;
    const { machine, transition, begin } = step(before, event, this.options.configurations);
    this.currentMachine = machine;
    if (transition !== undefined) {
      if (machine.state !== before.state) this.changedAt = new Date();
      this.eventName = event.type;
      this.options.moved(before, machine);
    }
    if (begin !== undefined) this.begin(begin, event.type === "done" && transition !== undefined);
    else if (machine !== before) this.pausing.abort();
  }

  /** Begins nothing more, and waits for the work under way. */
  async close(): Promise<void> {
    this.closed = true;
    this.pausing.abort();
    await this.working;
  }

  private begin(job: Work, again: boolean): void {
    if (!this.closed) this.working = this.work(job, again);
  }

  private async work(job: Work, again: boolean): Promise<void> {
    if (again && this.failures > 0) {
      this.pausing = new AbortController();
      await this.options.pause(this.failures, this.pausing.signal);
    }
    if (this.closed && again) return;
    if (this.isSuperseded()) return this.send({ type: "done", running: this.currentMachine.running });
    const { running, error, target } = await this.do(job);
    this.lastError = error;
    this.failures = this.options.configurations.equal(running, target) ? 0 : this.failures + 1;
    this.send({ type: "done", running });
  }

  /** Was something else asked for during the pause? */
  private isSuperseded(): boolean {
    return this.currentMachine.next !== undefined || this.currentMachine.state === "SHUTTINGDOWN";
  }

  private async do(job: Work): Promise<WorkOutcome<C> & { readonly target: C }> {
    const { candidate, running } = this.currentMachine;
    const { works, configurations } = this.options;
    const target = job === "apply" ? candidate : configurations.empty;
    try {
      const outcome = job === "apply" ? await works.apply(candidate, running) : await works.remove(running);
      return { ...outcome, target };
    } catch (error) {
      return { running, error: errorMessage(error), target };
    }
  }
}
