import type { AgentEvent, EventPublisher } from "#core/northbound/index.js";

/** Publishes events in the order in which they are given, but lets go first who waits for an answer. */
export class Announcements {
  private readonly waiting: Iterable<AgentEvent>[] = [];
  private turn: NodeJS.Immediate | undefined;

  constructor(private readonly events: EventPublisher) {}

  /** At once, unless others wait. */
  publish(event: AgentEvent): void {
    if (this.waiting.length === 0) this.events.publish(event);
    else this.waiting.push([event]);
  }

  /** In the next turn of the event loop: when what is being done now is sent, or on its way to the disk. */
  publishSoon(events: Iterable<AgentEvent>): void {
    this.waiting.push(events);
    this.turn ??= setImmediate(() => this.flush());
  }

  /** Publishes what waits. */
  flush(): void {
    clearImmediate(this.turn);
    this.turn = undefined;
    for (let events = this.waiting[0]; events !== undefined; events = this.waiting[0]) {
      for (const event of events) this.events.publish(event);
      this.waiting.shift();
    }
  }
}
