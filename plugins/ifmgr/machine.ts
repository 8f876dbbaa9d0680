import { type Action, type EventName, type Guard, type State, TRANSITIONS, type Transition } from "./transitions.js";

/** What can be done to an interface, and takes time. */
export type Work = "apply" | "remove";

/** The machine's view of a configuration. */
export interface Configurations<C> {
  readonly empty: C;
  equal(a: C, b: C): boolean;
}

/** The state machine of one interface: a value, changed by {@link step} alone. */
export interface Machine<C> {
  readonly state: State;
  /** What the sources want. */
  readonly candidate: C;
  /** What was handed to the kernel, as far as ended work has told. */
  readonly running: C;
  readonly job: Work | undefined;
  /** What follows the job. */
  readonly next: Work | undefined;
}

export type MachineEvent<C> =
  | { readonly type: "apply"; readonly candidate: C }
  | { readonly type: "reset" | "plug" | "unplug" | "kill" }
  | { readonly type: "done"; readonly running: C };

export interface Step<C> {
  readonly machine: Machine<C>;
  /** The row of the table, `undefined` when the event has none or when other work follows the work that ended. */
  readonly transition: Transition | undefined;
  /** Work to begin now. */
  readonly begin: Work | undefined;
}

/** A machine that nothing has happened to yet. */
export function newMachine<C>(
  configurations: Configurations<C>,
  beginning: Partial<Pick<Machine<C>, "state" | "running" | "job">> = {},
): Machine<C> {
  const { empty } = configurations;
  return { state: "UNPLUGGED", candidate: empty, running: empty, job: undefined, next: undefined, ...beginning };
}

/** The machine after an event. Pure. `done` is to be told once for each `begin`. */
export function step<C>(machine: Machine<C>, event: MachineEvent<C>, configurations: Configurations<C>): Step<C> {
  const told = hear(machine, event, configurations);
  if (event.type === "done" && machine.next !== undefined) {
    const following = { ...told, job: machine.next, next: undefined };
    return { machine: following, transition: undefined, begin: machine.next };
  }
  const transition = transitionFor(machine.state, event.type, (condition) => holds(condition, told, configurations));
  if (transition === undefined) return { machine, transition, begin: undefined };
  // Staging has happened already; what was heard counts because there is a row for it.
  return work({ ...told, state: transition.to }, transition);
}

function hear<C>(machine: Machine<C>, event: MachineEvent<C>, { empty }: Configurations<C>): Machine<C> {
  switch (event.type) {
    case "apply":
      return { ...machine, candidate: event.candidate };
    case "reset":
      return { ...machine, candidate: empty };
    case "done":
      return { ...machine, running: event.running, job: undefined };
    default:
      return machine;
  }
}

function transitionFor(state: State, event: EventName, isTrue: (condition: Guard) => boolean): Transition | undefined {
  return TRANSITIONS.find(
    (row) => row.from === state && row.event === event && (row.when === undefined || isTrue(row.when)),
  );
}

function holds<C>(condition: Guard, { candidate, running }: Machine<C>, all: Configurations<C>): boolean {
  switch (condition) {
    case "candidate = running":
      return all.equal(candidate, running);
    case "candidate ≠ running":
      return !all.equal(candidate, running);
    case "nothing runs":
      return all.equal(running, all.empty);
    case "something runs":
      return !all.equal(running, all.empty);
  }
}

/** Begins the work that a transition asks for, or puts it behind the work under way. */
function work<C>(machine: Machine<C>, transition: Transition): Step<C> {
  if (transition.actions.includes("stop")) {
    return { machine: { ...machine, next: undefined }, transition, begin: undefined };
  }
  const job = transition.actions.find(isJob);
  if (job === undefined) return { machine, transition, begin: undefined };
  if (machine.job !== undefined) return { machine: { ...machine, next: job }, transition, begin: undefined };
  return { machine: { ...machine, job }, transition, begin: job };
}

function isJob(action: Action): action is Work {
  return action === "apply" || action === "remove";
}
