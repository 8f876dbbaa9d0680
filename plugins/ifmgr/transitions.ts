/** The states of a registered interface, as `tenuto.ifmgr.InterfaceStatus` names them. */
export type State = "UNPLUGGED" | "APPLYING" | "PLUGGED" | "UNAPPLYING" | "SHUTTINGDOWN" | "SHUTDOWN";

/**
 * - `apply`, `reset`: the sources want other values for the interface, or none. `plug`, `unplug`: it came, or went.
 * - `kill`: it is not to be managed any more. `done`: work has ended and nothing else is to be done after it.
 */
export type EventName = "apply" | "reset" | "plug" | "unplug" | "kill" | "done";

/**
 * - `stage`, `stage empty`: what the sources want becomes the candidate configuration.
 * - `apply`: the candidate is to become the running configuration. `remove`: nothing is to run. Both are work: they take time,
 *   and begin when the work that is under way has ended. Of what waits only the last counts.
 * - `stop`: what waits is forgotten.
 */
export type Action = "stage" | "stage empty" | "apply" | "remove" | "stop";

/** Compares the configurations as they are after staging and, for `done`, after what the work has left running. */
export type Guard = "candidate = running" | "candidate ≠ running" | "nothing runs" | "something runs";

export interface Transition {
  readonly from: State;
  readonly event: EventName;
  readonly when?: Guard;
  readonly actions: readonly Action[];
  readonly to: State;
}

/**
 * The transition table of DANOS's ifmgrd, row by row. Applying and removing take time here, hence UNAPPLYING and SHUTTINGDOWN,
 * which say what becomes of the interface once the work under way has ended. An event without a row is ignored.
 */
export const TRANSITIONS: readonly Transition[] = [
  { from: "UNPLUGGED", event: "apply", actions: ["stage"], to: "UNPLUGGED" },
  { from: "UNPLUGGED", event: "reset", actions: ["stage empty"], to: "UNPLUGGED" },
  { from: "UNPLUGGED", event: "plug", actions: ["apply"], to: "APPLYING" },
  { from: "UNPLUGGED", event: "kill", actions: ["stop"], to: "SHUTDOWN" },

  { from: "APPLYING", event: "apply", actions: ["stage"], to: "APPLYING" },
  { from: "APPLYING", event: "reset", actions: ["stage empty"], to: "APPLYING" },
  { from: "APPLYING", event: "unplug", actions: ["remove"], to: "UNAPPLYING" },
  { from: "APPLYING", event: "kill", actions: ["stop"], to: "SHUTTINGDOWN" },
  { from: "APPLYING", event: "done", when: "candidate ≠ running", actions: ["apply"], to: "APPLYING" },
  { from: "APPLYING", event: "done", when: "candidate = running", actions: [], to: "PLUGGED" },

  { from: "PLUGGED", event: "apply", when: "candidate ≠ running", actions: ["stage", "apply"], to: "APPLYING" },
  { from: "PLUGGED", event: "apply", when: "candidate = running", actions: ["stage"], to: "PLUGGED" },
  { from: "PLUGGED", event: "reset", when: "something runs", actions: ["stage empty", "apply"], to: "APPLYING" },
  { from: "PLUGGED", event: "reset", when: "nothing runs", actions: ["stage empty"], to: "PLUGGED" },
  { from: "PLUGGED", event: "unplug", actions: ["remove"], to: "UNAPPLYING" },
  { from: "PLUGGED", event: "kill", actions: ["stop"], to: "SHUTDOWN" },

  { from: "UNAPPLYING", event: "apply", actions: ["stage"], to: "UNAPPLYING" },
  { from: "UNAPPLYING", event: "reset", actions: ["stage empty"], to: "UNAPPLYING" },
  { from: "UNAPPLYING", event: "plug", actions: ["apply"], to: "APPLYING" },
  { from: "UNAPPLYING", event: "kill", actions: ["stop"], to: "SHUTTINGDOWN" },
  { from: "UNAPPLYING", event: "done", when: "something runs", actions: ["remove"], to: "UNAPPLYING" },
  { from: "UNAPPLYING", event: "done", when: "nothing runs", actions: [], to: "UNPLUGGED" },

  { from: "SHUTTINGDOWN", event: "done", actions: [], to: "SHUTDOWN" },
];

/** The table in Markdown, for docs/ifmgr.md. */
export function transitionTable(): string {
  const rows = TRANSITIONS.map(({ from, event, when, actions, to }) => [
    from.toLowerCase(),
    event,
    when ?? "",
    actions.join("; "),
    to.toLowerCase(),
  ]);
  const lines = [["state", "event", "when", "action", "new state"], ["---", "---", "---", "---", "---"], ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}
