import { isDeepStrictEqual } from "node:util";
import type { Store } from "#plugins/store/index.js";
import type { InterfaceConfiguration } from "./configuration.js";
import type { State } from "./transitions.js";

/** What an earlier run of the agent left of an interface. */
export interface Remembered {
  readonly state: State;
  /** What was handed to the kernel, or was about to be. */
  readonly running: InterfaceConfiguration;
}

const STATE = "ifmgr/state/";
const RUNNING = "ifmgr/running/";

/**
 * Remembers in the agent's store which configuration of which interface is in force, so that an agent that was restarted
 * neither takes it away nor takes what was only staged for it. Host names have no slash.
 */
export class Notes {
  private readonly runningNotes = new Map<string, Map<string, object>>();

  constructor(private readonly store: Store) {}

  /** What was remembered, by host name. */
  load(): ReadonlyMap<string, Remembered> {
    const states = new Map<string, State>();
    for (const [name, note] of this.store.notes()) {
      if (name.startsWith(STATE)) states.set(name.slice(STATE.length), note as State);
      if (!name.startsWith(RUNNING)) continue;
      const slash = name.indexOf("/", RUNNING.length);
      this.runningOf(name.slice(RUNNING.length, slash)).set(name.slice(slash + 1), note as object);
    }
    return new Map(
      [...states].map(([hostName, state]) => [hostName, { state, running: new Map(this.runningNotes.get(hostName)) }]),
    );
  }

  /** Resolves when it is on disk. */
  async running(hostName: string, configuration: InterfaceConfiguration): Promise<void> {
    const known = this.runningOf(hostName);
    const notes = new Map<string, object | undefined>();
    for (const key of known.keys()) if (!configuration.has(key)) notes.set(`${RUNNING}${hostName}/${key}`, undefined);
    for (const [key, value] of configuration) {
      if (!isDeepStrictEqual(known.get(key), value)) notes.set(`${RUNNING}${hostName}/${key}`, value);
    }
    this.runningNotes.set(hostName, new Map(configuration));
    if (notes.size > 0) await this.store.write({ notes });
  }

  async state(hostName: string, state: State): Promise<void> {
    await this.store.write({ notes: new Map([[STATE + hostName, state]]) });
  }

  /** The interface is not managed any more. */
  async forget(hostName: string): Promise<void> {
    const keys = [...this.runningOf(hostName).keys()].map((key) => `${RUNNING}${hostName}/${key}`);
    this.runningNotes.delete(hostName);
    await this.store.write({ notes: new Map([...keys, STATE + hostName].map((name) => [name, undefined])) });
  }

  private runningOf(hostName: string): Map<string, object> {
    const known = this.runningNotes.get(hostName) ?? new Map<string, object>();
    this.runningNotes.set(hostName, known);
    return known;
  }
}
