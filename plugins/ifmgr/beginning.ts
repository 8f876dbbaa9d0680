import { type InterfaceConfiguration, interfaceConfigurations } from "./configuration.js";
import { type Machine, newMachine } from "./machine.js";
import type { State } from "./transitions.js";

export interface Circumstances {
  /** Applied already: by an earlier run of the agent, or before the interface was registered. */
  readonly running: InterfaceConfiguration;
  /** The state in an earlier run of the agent; `undefined` for an interface that was registered just now. */
  readonly remembered: State | undefined;
  /** `undefined`: nobody knows, because nothing watches. */
  readonly isPresent: boolean | undefined;
  /** Does it wait to be plugged by request? */
  readonly isManual: boolean;
}

/**
 * The machine with which an interface begins. What is applied already stays while the interface may be there, and goes when it
 * is not; work that an earlier run did not end is done again.
 */
export function beginning(circumstances: Circumstances): Machine<InterfaceConfiguration> {
  const { running, remembered, isPresent, isManual } = circumstances;
  const machine = (state: State, job?: "apply" | "remove"): Machine<InterfaceConfiguration> =>
    newMachine(interfaceConfigurations, { state, running, job });
  if (isPresent === false) return running.size === 0 ? machine("UNPLUGGED") : machine("UNAPPLYING", "remove");
  switch (remembered) {
    case "PLUGGED":
      return machine("PLUGGED");
    case "APPLYING":
      return machine("APPLYING", "apply");
    // Work was under way when it was unregistered; it is registered again.
    case "SHUTTINGDOWN":
    case undefined:
      if (running.size === 0) return machine("UNPLUGGED");
      return isManual || isPresent === undefined ? machine("PLUGGED") : machine("APPLYING", "apply");
    default:
      return running.size === 0 ? machine("UNPLUGGED") : machine("UNAPPLYING", "remove");
  }
}
