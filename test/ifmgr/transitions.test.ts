import { readFile } from "node:fs/promises";
import test from "ava";
import {
  type Configurations,
  type Machine,
  type MachineEvent,
  newMachine,
  step,
  type Work,
} from "#plugins/ifmgr/machine.js";
import {
  type EventName,
  type Guard,
  type State,
  TRANSITIONS,
  type Transition,
  transitionTable,
} from "#plugins/ifmgr/transitions.js";
import { projectRoot } from "#test/support/project.js";

/** A configuration is a word here. */
const words: Configurations<string> = { empty: "", equal: (a, b) => a === b };

const STATES: readonly State[] = ["UNPLUGGED", "APPLYING", "PLUGGED", "UNAPPLYING", "SHUTTINGDOWN", "SHUTDOWN"];
const EVENTS: readonly EventName[] = ["apply", "reset", "plug", "unplug", "kill", "done"];

/** The rows of the seed: ifmgrd's design. Where work takes time here, it leads through the state in brackets. */
const SEED: readonly (readonly [State, EventName, State, through?: State])[] = [
  ["UNPLUGGED", "apply", "UNPLUGGED"],
  ["UNPLUGGED", "reset", "UNPLUGGED"],
  ["UNPLUGGED", "plug", "APPLYING"],
  ["UNPLUGGED", "kill", "SHUTDOWN"],
  ["APPLYING", "apply", "APPLYING"],
  ["APPLYING", "reset", "APPLYING"],
  ["APPLYING", "unplug", "UNPLUGGED", "UNAPPLYING"],
  ["APPLYING", "kill", "SHUTDOWN", "SHUTTINGDOWN"],
  ["APPLYING", "done", "PLUGGED"],
  ["PLUGGED", "apply", "APPLYING"],
  ["PLUGGED", "reset", "APPLYING"],
  ["PLUGGED", "unplug", "UNPLUGGED", "UNAPPLYING"],
  ["PLUGGED", "kill", "SHUTDOWN"],
];

const WORK: Partial<Record<State, Work>> = { APPLYING: "apply", UNAPPLYING: "remove", SHUTTINGDOWN: "apply" };

/** A machine in a state, with work under way where the state has any. */
function machineIn(state: State, candidate: string, running: string): Machine<string> {
  return { ...newMachine(words), state, candidate, running, job: WORK[state] };
}

function eventOf(name: EventName, configuration: string): MachineEvent<string> {
  if (name === "apply") return { type: "apply", candidate: configuration };
  if (name === "done") return { type: "done", running: configuration };
  return { type: name };
}

/** A machine and an event for which the row's condition is true. */
function occasion({ from, event, when }: Transition): readonly [Machine<string>, MachineEvent<string>] {
  const occasions: Record<Guard | "always", readonly [candidate: string, running: string, told: string]> = {
    always: ["old", "old", "new"],
    "candidate = running": ["same", "same", "same"],
    "candidate ≠ running": ["desired", "old", "old"],
    "nothing runs": ["desired", "", ""],
    "something runs": ["desired", "old", "old"],
  };
  const [candidate, running, told] = occasions[when ?? "always"];
  if (event === "apply" && when === "candidate ≠ running") {
    return [machineIn(from, running, running), eventOf(event, "desired")];
  }
  return [machineIn(from, candidate, running), eventOf(event, told)];
}

for (const row of TRANSITIONS) {
  const { from, event, when, actions, to } = row;
  test(`${from} + ${event}${when === undefined ? "" : ` (${when})`}: ${actions.join(", ") || "nothing"}, then ${to}`, (t) => {
    const [before, told] = occasion(row);
    const { machine, transition, begin } = step(before, told, words);
    t.is(transition, row);
    t.is(machine.state, to);
    if (actions.includes("stage")) t.is(machine.candidate, told.type === "apply" ? told.candidate : "");
    if (actions.includes("stage empty")) t.is(machine.candidate, "");
    if (event === "done" && told.type === "done") t.is(machine.running, told.running);
    const job = actions.find((action) => action === "apply" || action === "remove");
    const isBusy = before.job !== undefined && event !== "done";
    t.is(begin, isBusy ? undefined : job);
    t.is(machine.next, isBusy ? job : undefined);
  });
}

test("an event that has no row in a state changes nothing", (t) => {
  for (const state of STATES) {
    for (const event of EVENTS) {
      if (TRANSITIONS.some((row) => row.from === state && row.event === event)) continue;
      const before = machineIn(state, "desired", "old");
      const { machine, begin } = step(before, eventOf(event, "other"), words);
      t.is(machine, before, `${state} + ${event}`);
      t.is(begin, undefined);
    }
  }
});

test("the rows of a state and an event exclude each other and leave no gap", (t) => {
  const opposite: Record<Guard, Guard> = {
    "candidate = running": "candidate ≠ running",
    "candidate ≠ running": "candidate = running",
    "nothing runs": "something runs",
    "something runs": "nothing runs",
  };
  for (const state of STATES) {
    for (const event of EVENTS) {
      const rows = TRANSITIONS.filter((row) => row.from === state && row.event === event);
      const [first, second] = rows;
      if (rows.length < 2) t.is(first?.when, undefined, `${state} + ${event}`);
      else t.deepEqual([rows.length, second?.when], [2, first?.when && opposite[first.when]], `${state} + ${event}`);
    }
  }
});

for (const [from, event, to, through] of SEED) {
  test(`the seed's row ${from} + ${event} leads to ${to}${through === undefined ? "" : ` through ${through}`}`, (t) => {
    const told = eventOf(event, event === "done" ? "desired" : "new");
    let { machine, begin } = step(machineIn(from, "desired", "old"), told, words);
    if (through !== undefined) {
      t.is(machine.state, through);
      // The work under way ends, and so does what follows it.
      for (let work = 0; work < 2 && machine.job !== undefined; work++) {
        ({ machine, begin } = step(machine, { type: "done", running: machine.job === "remove" ? "" : "new" }, words));
      }
    }
    t.is(machine.state, to);
    t.true(begin === undefined || to === "APPLYING");
  });
}

test("a plug while the configuration is being removed starts over when that has ended", (t) => {
  const plugged = step(machineIn("UNAPPLYING", "desired", "old"), { type: "plug" }, words);
  t.like(plugged.machine, { state: "APPLYING", job: "remove", next: "apply" });
  const removed = step(plugged.machine, { type: "done", running: "" }, words);
  t.like(removed, { begin: "apply" });
  t.like(removed.machine, { state: "APPLYING", job: "apply", next: undefined, running: "" });
});

test("of many changes of mind during work only the last counts", (t) => {
  let machine = machineIn("APPLYING", "desired", "old");
  for (const type of ["unplug", "plug", "unplug", "plug", "unplug"] as const)
    ({ machine } = step(machine, { type }, words));
  t.like(machine, { state: "UNAPPLYING", job: "apply", next: "remove" });
});

test("docs/ifmgr.md has the table", async (t) => {
  const document = await readFile(`${projectRoot}/docs/ifmgr.md`, "utf8");
  const table = transitionTable();
  if (!document.includes(table)) t.log(table);
  t.true(document.includes(table));
});
