import type { EventEnvelope } from "./events.js";

/**
 * Events that wait for the bus, in order, in bounded memory. When it is full, interface states that a later one of the same
 * interface supersedes go first, then the oldest news of values that are as they should be, then the oldest events of other kinds;
 * the last state of an interface always stays.
 */
export class EventQueue {
  private readonly bound: number;
  private events: EventEnvelope[] = [];
  private head = 0;
  private droppedCount = 0;

  constructor(bound: number) {
    this.bound = bound;
  }

  get size(): number {
    return this.events.length - this.head;
  }

  /** Events lost for good since the queue was made. Superseded states are not lost: a later one says it all. */
  get dropped(): number {
    return this.droppedCount;
  }

  push(envelope: EventEnvelope): void {
    this.events.push(envelope);
    if (this.size > this.bound) this.makeRoom();
  }

  /** The oldest event, taken out. */
  take(): EventEnvelope | undefined {
    const envelope = this.events[this.head];
    if (envelope === undefined) return undefined;
    this.head += 1;
    if (this.head === this.events.length) {
      this.events = [];
      this.head = 0;
    }
    return envelope;
  }

  /** Replaces the interface states in the queue by what is known now; interfaces deleted meanwhile stay deleted. */
  renewInterfaces(current: readonly EventEnvelope[]): void {
    const known = new Set(current.map(({ subject }) => subject));
    const others = this.superseded().filter(({ event, subject }) => event.kind !== "interface" || !known.has(subject));
    this.events = [...current, ...others];
    this.head = 0;
  }

  /** Makes room for a quarter of the bound, so that its cost is spread over many events. */
  private makeRoom(): void {
    const most = Math.floor(this.bound * 0.75);
    const waiting = this.superseded();
    const others = withoutOldest(waiting, waiting.length - most, isGoodNews);
    this.events = withoutOldest(others, others.length - most, ({ event }) => event.kind !== "interface");
    this.droppedCount += waiting.length - this.events.length;
    this.head = 0;
  }

  /** The waiting events without interface states that a later one supersedes. */
  private superseded(): EventEnvelope[] {
    const waiting = this.events.slice(this.head);
    if (!waiting.some(({ event }) => event.kind === "interface")) return waiting;
    const seen = new Set<string>();
    return waiting
      .toReversed()
      .filter(({ event }) => {
        if (event.kind !== "interface") return true;
        if (seen.has(event.name)) return false;
        seen.add(event.name);
        return true;
      })
      .toReversed();
  }
}

/** Leaves out as many of the oldest events that may go, if there are so many. */
function withoutOldest(
  events: EventEnvelope[],
  count: number,
  mayGo: (envelope: EventEnvelope) => boolean,
): EventEnvelope[] {
  let surplus = count;
  if (surplus <= 0) return events;
  return events.filter((envelope) => {
    if (surplus <= 0 || !mayGo(envelope)) return true;
    surplus -= 1;
    return false;
  });
}

/** What a transaction of many values has the most of, and says itself. */
function isGoodNews({ event }: EventEnvelope): boolean {
  return event.kind === "value" && (event.data.state === "CONFIGURED" || event.data.state === "REMOVED");
}
