import { token } from "../plugin/token.js";
import type { TransactionResult, ValueStatus } from "./transaction.js";

/** What the agent tells the world. `data` is the contract's JSON of the message named by `type`. */
export type AgentEvent =
  | { readonly kind: "interface"; readonly name: string; readonly deleted: boolean; readonly data: object }
  | { readonly kind: "value"; readonly key: string; readonly data: ValueStatus }
  | { readonly kind: "transaction"; readonly id: string; readonly data: TransactionResult }
  | { readonly kind: "ifmgr"; readonly name: string; readonly data: object }
  | { readonly kind: "drift"; readonly key: string; readonly data: DriftReport }
  | { readonly kind: "health"; readonly plugin: string; readonly data: object }
  | { readonly kind: "deadletter"; readonly origin: string; readonly data: DeadLetter };

/** A configured value was changed or removed by somebody else. Field names are those of the contract's JSON. */
export interface DriftReport {
  readonly key: string;
  /** What is desired, and was there. */
  readonly before: object;
  /** What was found; left out: nothing. */
  readonly after?: object;
  /** The value and those of its derived values that differ. */
  readonly keys: readonly string[];
  readonly policy: "ENFORCE" | "REPORT";
  /** When it will be repaired, in milliseconds from now; left out: it will not. */
  readonly repair_in_ms?: number;
  /** How often it drifted within the last minute, this time included. */
  readonly times: number;
  /** Somebody else changes it again and again. */
  readonly fight: boolean;
}

/** A message that can never be applied, with the reason. */
export interface DeadLetter {
  readonly key: string;
  readonly origin: string;
  readonly error: string;
  /** The message as it came, base64 when it is not UTF-8 text. Only its beginning when it is too long for the bus. */
  readonly payload: string;
  readonly truncated?: boolean;
}

/** Metadata that every event carries on every bus, as CloudEvents 1.0 attributes. */
export interface EventEnvelope {
  /** Unique per agent start and event. */
  readonly id: string;
  /** `/tenuto/<label>`. */
  readonly source: string;
  /** `io.tenuto.interface.state`, `io.tenuto.value.status`, `io.tenuto.transaction.finished`, … */
  readonly type: string;
  /** RFC 3339. */
  readonly time: string;
  /** Interface name, value key, transaction id, plugin name. */
  readonly subject: string;
  readonly event: AgentEvent;
}

/**
 * Port: where events go. `publish` must not block and must not throw: a sink buffers within bounds, keeps the last state
 * per interface while its bus is away, and reports itself degraded.
 */
export interface StateSink {
  readonly name: string;
  publish(envelope: EventEnvelope): void;
}

export const StateSink = token<StateSink>("StateSink");

/** Publishes an event to every sink of the flavor, with its envelope made once. Provided by the agent itself. */
export interface EventPublisher {
  publish(event: AgentEvent): void;
  /** The last interface event of every interface, for a sink whose bus came back or a subscriber that starts late. */
  currentInterfaces(): readonly EventEnvelope[];
}

export const EventPublisher = token<EventPublisher>("EventPublisher");
