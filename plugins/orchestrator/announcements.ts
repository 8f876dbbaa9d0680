import { setImmediate } from "node:timers/promises";
import type { AgentEvent, EventPublisher } from "#core/northbound/index.js";
import type { Store } from "#plugins/store/index.js";

/** Publishes events in the order in which they are given, but lets go first who waits for an answer. */
export class Announcements {
  private readonly waiting: Iterable<AgentEvent>[] = [];
  private isDue = false;

  constructor(
    private readonly events: EventPublisher,
    private readonly store: Pick<Store, "settled">,
  ) {}

  /** At once, unless others wait. */
  publish(event: AgentEvent): void {
    if (this.waiting.length === 0) this.events.publish(event);
    else this.waiting.push([event]);
  }

  /** In a later turn of the event loop: when the answer that is known now has left. */
  publishSoon(events: Iterable<AgentEvent>): void {
    this.waiting.push(events);
    this.flushAfter(Promise.resolve());
  }

  /**
   * When the transaction that is being written down now is on the disk, and its answer has left. For so much news that it would take
   * its time from both.
   */
  publishBehind(events: Iterable<AgentEvent>): void {
    this.waiting.push(events);
    this.flushAfter(setImmediate().then(() => this.store.settled()));
  }

  /** Publishes what waits. */
  flush(): void {
    for (let events = this.waiting[0]; events !== undefined; events = this.waiting[0]) {
      for (const event of events) this.events.publish(event);
      this.waiting.shift();
    }
  }

  private flushAfter(moment: Promise<void>): void {
    if (this.isDue) return;
    this.isDue = true;
    const flush = (): void => {
      this.isDue = false;
      this.flush();
    };
    void moment.then(() => setImmediate()).then(flush);
  }
}
