// What `npm start` shows: the values with their states, and the last interface events. On a terminal the view is redrawn in
// place; elsewhere each change is a line.
import { stripVTControlCharacters } from "node:util";

const MOST_EVENTS = 8;
const REDRAW_MS = 50;
const COLORS = { CONFIGURED: 32, OBTAINED: 36, DISCOVERED: 36, PENDING: 33, RETRYING: 33, FAILED: 31, INVALID: 31 };
const GONE = new Set(["NONEXISTENT", "REMOVED"]);

export class LiveView {
  #values = new Map();
  #events = [];
  #drawnLines = 0;
  #timer;
  #output;

  constructor(output = process.stdout) {
    this.#output = output;
  }

  /** A value's status, as the agent's API gives it. */
  value(status) {
    const before = this.#values.get(status.key);
    if (GONE.has(status.state)) this.#values.delete(status.key);
    else this.#values.set(status.key, status);
    if (before?.state !== status.state) this.#changed(`value      ${describeValue(status)}`);
  }

  /** An interface notification: what the interface does now. */
  interface(time, name, state) {
    const addresses = (state.ip_addresses ?? []).join(" ");
    const host = state.internal_name && state.internal_name !== name ? ` (${state.internal_name})` : "";
    const text = `${clock(time)}  ${name}${host}  ${state.oper_status ?? "UNKNOWN_STATUS"}  ${addresses}`.trimEnd();
    this.#events = [...this.#events, text].slice(-MOST_EVENTS);
    this.#changed(`interface  ${text}`);
  }

  /** Draws what is waiting to be drawn. */
  close() {
    if (this.#timer !== undefined) this.#draw();
  }

  #changed(line) {
    if (!this.#output.isTTY) this.#output.write(`${line}\n`);
    else this.#timer ??= setTimeout(() => this.#draw(), REDRAW_MS);
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const statuses = [...this.#values.values()].sort((a, b) => a.key.localeCompare(b.key));
    const all = ["", "Values", ...statuses.map((status) => `  ${describeValue(status, true)}`)];
    all.push("", "Interface events", ...this.#events.map((event) => `  ${event}`), "");
    // Redrawing works for what fits the screen only.
    const lines = all.slice(-Math.max(5, this.#output.rows - 2)).map((line) => cut(line, this.#output.columns));
    const back = this.#drawnLines === 0 ? "" : `\x1b[${this.#drawnLines}A\x1b[J`;
    this.#output.write(`${back}${lines.join("\n")}\n`);
    this.#drawnLines = lines.length;
  }
}

function describeValue({ key, state, error, details = [] }, colored = false) {
  const reason = [error, ...details].filter(Boolean).join("; ");
  const padded = state.padEnd(10);
  const shown = colored ? `\x1b[${COLORS[state] ?? 0}m${padded}\x1b[0m` : padded;
  return `${shown}  ${key}${reason === "" ? "" : `  ${reason}`}`;
}

function clock(time) {
  return time
    .replace(/^.*T/, "")
    .replace(/(\.\d{3})\d*/, "$1")
    .replace(/Z$/, "");
}

/** A line no wider than the terminal, colors not counted. */
function cut(line, width) {
  const colors = line.length - stripVTControlCharacters(line).length;
  return line.length - colors <= width ? line : `${line.slice(0, width + colors - 1)}…`;
}
