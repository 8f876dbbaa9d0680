import { BusError } from "#core/errors.js";
import type { Logger } from "#core/logging/types.js";
import type {
  AgentEvent,
  EventEnvelope,
  Northbound,
  StateSink,
  Transaction,
  TransactionEndpoint,
  TransactionResult,
} from "#core/northbound/index.js";
import { token } from "#core/plugin/index.js";

export interface MemorySubscription {
  /** Only these kinds of events; all when left out. */
  readonly kinds?: readonly AgentEvent["kind"][];
}

/** The bus of a program that has the agent inside it. */
export interface MemoryBus {
  /** Applies a transaction; `mode: "REPLACE"` makes its changes all there is. Throws `BusError` unless the agent runs. */
  commit(transaction: Transaction): Promise<TransactionResult>;
  /** Everything else one may ask of the agent. Throws `BusError` unless the agent runs. */
  northbound(): Northbound;
  /** Calls `listener` with every event from now on, in order. One that throws is logged. Returns the function that ends it. */
  subscribe(listener: (envelope: EventEnvelope) => void, subscription?: MemorySubscription): () => void;
  /** The last state of an interface, `undefined` when it is unknown or was deleted. */
  lastState(name: string): EventEnvelope | undefined;
  lastStates(): readonly EventEnvelope[];
}

export const MemoryBus = token<MemoryBus>("MemoryBus");

interface Subscriber extends MemorySubscription {
  readonly listener: (envelope: EventEnvelope) => void;
}

/** Endpoint and sink of {@link MemoryBus}. Keeps the last state of at most `maxStates` interfaces, those that changed last. */
export class InProcessBus implements MemoryBus, TransactionEndpoint, StateSink {
  readonly name = "memory";
  private served: Northbound | undefined;
  private readonly subscribers = new Set<Subscriber>();
  private readonly states = new Map<string, EventEnvelope>();

  constructor(
    private readonly maxStates: number,
    private readonly log: Logger,
  ) {}

  serve(northbound: Northbound): void {
    this.served = northbound;
  }

  northbound(): Northbound {
    if (this.served === undefined) throw new BusError("NOT_READY", "the agent has not started yet, or is closed");
    return this.served;
  }

  close(): void {
    this.served = undefined;
    this.subscribers.clear();
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    return await this.northbound().commit(transaction, this.name);
  }

  subscribe(listener: (envelope: EventEnvelope) => void, subscription: MemorySubscription = {}): () => void {
    const subscriber = { ...subscription, listener };
    this.subscribers.add(subscriber);
    return () => this.subscribers.delete(subscriber);
  }

  lastState(name: string): EventEnvelope | undefined {
    return this.states.get(name);
  }

  lastStates(): readonly EventEnvelope[] {
    return [...this.states.values()];
  }

  publish(envelope: EventEnvelope): void {
    this.keep(envelope);
    for (const { kinds, listener } of [...this.subscribers]) {
      if (kinds !== undefined && !kinds.includes(envelope.event.kind)) continue;
      try {
        listener(envelope);
      } catch (error) {
        this.log.error({ err: error, event: envelope.type }, "a subscriber of the memory bus threw");
      }
    }
  }

  private keep(envelope: EventEnvelope): void {
    const { event } = envelope;
    if (event.kind !== "interface") return;
    this.states.delete(event.name);
    if (event.deleted) return;
    this.states.set(event.name, envelope);
    const [oldest] = this.states.keys();
    if (this.states.size > this.maxStates && oldest !== undefined) this.states.delete(oldest);
  }
}
