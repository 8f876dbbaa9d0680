import type { Logger } from "../logging/types.js";
import type { All } from "../plugin/index.js";
import type { AgentEvent, EventEnvelope, EventPublisher, StateSink } from "./events.js";

const TYPES: Readonly<Record<AgentEvent["kind"], string>> = {
  interface: "io.tenuto.interface.state",
  value: "io.tenuto.value.status",
  transaction: "io.tenuto.transaction.finished",
  ifmgr: "io.tenuto.ifmgr.state",
  drift: "io.tenuto.value.drift",
  health: "io.tenuto.health",
  deadletter: "io.tenuto.deadletter",
};

export interface PublisherOptions {
  readonly label: string;
  /** Unique for this start of the agent. */
  readonly instance: string;
  readonly sinks: All<StateSink>;
  readonly log: Logger;
}

/**
 * Gives every event to every sink, in the same order to each: an event that a sink causes while it takes another one follows after
 * it. Events that come before {@link open} wait for it, so that a sink sees its first one after its `init()`; after
 * {@link leave} it sees none. A sink that throws is logged, and the others still get the event.
 */
export class FanOutPublisher implements EventPublisher {
  private readonly options: PublisherOptions;
  private readonly interfaces = new Map<string, EventEnvelope>();
  private readonly gone = new Set<StateSink>();
  private queue: EventEnvelope[] = [];
  private state: "waiting" | "idle" | "publishing" = "waiting";
  private sequence = 0;
  private millisecond = 0;
  private time = "";

  constructor(options: PublisherOptions) {
    this.options = options;
  }

  publish(event: AgentEvent): void {
    this.queue.push(this.envelope(event));
    if (this.state === "idle") this.drain();
  }

  currentInterfaces(): readonly EventEnvelope[] {
    return [...this.interfaces.values()];
  }

  /** Every sink is initialised: what has waited goes out, and from now on nothing waits. */
  open(): void {
    if (this.state === "waiting") this.drain();
  }

  /** The sink is about to close. */
  leave(sink: StateSink): void {
    this.gone.add(sink);
  }

  private drain(): void {
    this.state = "publishing";
    // The queue grows while it is walked when a sink causes events.
    for (const envelope of this.queue) this.deliver(envelope);
    this.queue = [];
    this.state = "idle";
  }

  private deliver(envelope: EventEnvelope): void {
    const { event } = envelope;
    if (event.kind === "interface") this.interfaces.set(event.name, envelope);
    this.fanOut(envelope);
    // Only now: a sink that looks at the current interfaces while it hears of a deletion finds the deletion there.
    if (event.kind === "interface" && event.deleted) this.interfaces.delete(event.name);
  }

  private envelope(event: AgentEvent): EventEnvelope {
    this.sequence += 1;
    return {
      id: `${this.options.instance}-${this.sequence}`,
      source: `/tenuto/${this.options.label}`,
      type: TYPES[event.kind],
      time: this.timestamp(),
      subject: subjectOf(event),
      event,
    };
  }

  /** RFC 3339. A large transaction makes many events in the same millisecond. */
  private timestamp(): string {
    const now = Date.now();
    if (now !== this.millisecond) {
      this.millisecond = now;
      this.time = new Date(now).toISOString();
    }
    return this.time;
  }

  private fanOut(envelope: EventEnvelope): void {
    for (const sink of this.options.sinks.get()) {
      if (this.gone.has(sink)) continue;
      try {
        sink.publish(envelope);
      } catch (error) {
        this.options.log.error(
          { err: error, sink: sink.name, type: envelope.type },
          "a state sink threw; the event is lost to it",
        );
      }
    }
  }
}

function subjectOf(event: AgentEvent): string {
  switch (event.kind) {
    case "interface":
    case "ifmgr":
      return event.name;
    case "value":
    case "drift":
      return event.key;
    case "transaction":
      return event.id;
    case "health":
      return event.plugin;
    case "deadletter":
      return event.origin;
  }
}
