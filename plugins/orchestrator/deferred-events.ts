import { setImmediate } from "node:timers/promises";
import type { AgentEvent, EventPublisher } from "#core/northbound/index.js";
import { Slices } from "#core/slices.js";
import type { Store } from "#plugins/store/index.js";

/** Publishes events in the order in which they are given, after the answers that are due. */
export class DeferredEvents {
  private readonly waiting: Iterator<AgentEvent>[] = [];
  private isDue = false;

  constructor(
    private readonly events: EventPublisher,
    private readonly store: Pick<Store, "settled">,
  ) {}

  /** At once, unless others wait. */
  publish(event: AgentEvent): void {
    if (this.waiting.length === 0) this.events.publish(event);
    else this.waiting.push([event].values());
  }

  /** In a later turn of the event loop: when the answer that is known now has left. */
  publishSoon(events: Iterable<AgentEvent>): void {
    this.waiting.push(events[Symbol.iterator]());
    this.flushAfter(Promise.resolve());
  }

  /**
   * When the transaction that is being written down now is on the disk, and its answer has left. For so much news that it would take
   * its time from both.
   */
  publishBehind(events: Iterable<AgentEvent>): void {
    this.waiting.push(events[Symbol.iterator]());
    this.flushAfter(setImmediate().then(() => this.store.settled()));
  }

  /** Publishes what waits, all of it at once. */
  flush(): void {
    while (this.publishOne());
  }

  private async flushInSlices(): Promise<void> {
    const slices = new Slices();
    while (this.publishOne()) if (slices.isDue) await slices.next();
    this.isDue = false;
  }

  /** The next that waits; false when nothing does. */
  private publishOne(): boolean {
    for (let events = this.waiting[0]; events !== undefined; events = this.waiting[0]) {
      const next = events.next();
      if (next.done !== true) {
        this.events.publish(next.value);
        return true;
      }
      this.waiting.shift();
    }
    return false;
  }

  private flushAfter(moment: Promise<void>): void {
    if (this.isDue) return;
    this.isDue = true;
    void moment.then(() => setImmediate()).then(() => this.flushInSlices());
  }
}
