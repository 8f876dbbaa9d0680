import type { Logger } from "#core/logging/types.js";
import type { Absence, ConfigConsumer, SourceItem, SourcePosition } from "#core/northbound/index.js";
import type { BucketPosition } from "./continuity.js";

interface Snapshot {
  readonly items: readonly SourceItem[];
  readonly absence: Absence;
}

/** What the consumer has not had yet: a snapshot first, then the newest change of each key. One is handed over at a time. */
export class Deliveries {
  private readonly consumer: ConfigConsumer;
  private readonly log: Logger;
  private pendingSnapshot: Snapshot | undefined;
  private readonly changes = new Map<string, SourceItem>();
  /** Covers what waits. */
  private position: BucketPosition | undefined;
  private delivering: Promise<void> | undefined;
  private closed = false;
  /** The consumer has stored all that it was given. */
  onStored: () => void = () => undefined;
  /** The consumer did not take something, and has stored this. */
  onRefused: (stored: SourcePosition | undefined) => void = () => undefined;

  constructor(consumer: ConfigConsumer, log: Logger) {
    this.consumer = consumer;
    this.log = log;
  }

  snapshot(items: readonly SourceItem[], absence: Absence, position: BucketPosition): void {
    this.pendingSnapshot = { items, absence };
    this.changes.clear();
    this.moved(position);
  }

  change(item: SourceItem, position: BucketPosition): void {
    this.changes.set(item.key, item);
    this.moved(position);
  }

  /** The position is another one, and nothing else. */
  moved(position: BucketPosition): void {
    if (this.closed) return;
    this.position = { ...position };
    this.delivering ??= this.drain();
  }

  /** Nothing more is handed over; resolves when the consumer is done with what it has. */
  async close(): Promise<void> {
    this.closed = true;
    await this.delivering;
  }

  private async drain(): Promise<void> {
    // Lets changes that were read together travel together.
    await Promise.resolve();
    try {
      while (!this.closed && this.position !== undefined) {
        // A snapshot covers less than the changes behind it: the position is stored with these.
        const position = this.changes.size > 0 && this.pendingSnapshot !== undefined ? undefined : this.position;
        if (position !== undefined) this.position = undefined;
        await this.hand(position);
      }
      if (!this.closed) this.onStored();
    } catch (error) {
      this.log.error({ err: error }, "the agent did not take the desired state");
      this.pendingSnapshot = undefined;
      this.changes.clear();
      this.position = undefined;
      this.onRefused(this.consumer.position);
    } finally {
      this.delivering = undefined;
    }
  }

  private async hand(position: BucketPosition | undefined): Promise<void> {
    if (this.pendingSnapshot !== undefined) {
      const { items, absence } = this.pendingSnapshot;
      this.pendingSnapshot = undefined;
      await this.consumer.snapshot(items, absence, position);
    } else {
      const items = [...this.changes.values()];
      this.changes.clear();
      await this.consumer.change(items, position);
    }
  }
}
