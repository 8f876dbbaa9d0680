import type { z } from "zod";
import { token } from "../plugin/token.js";
import type { TransactionResult } from "./transaction.js";

/**
 * Port: a source of desired state. It delivers one snapshot, then changes. The orchestrator calls `start` once in its
 * `afterInit`; a source whose bus is away returns at once, reports itself degraded in health, and delivers its snapshot when
 * the bus comes. After a reconnect that may have missed changes it delivers a snapshot again.
 */
export interface ConfigSource {
  readonly name: string;
  /** Among sources that set the same key the highest wins. The agent's own store has 100, buses 50, files 10. */
  readonly priority: number;
  start(consumer: ConfigConsumer): void | Promise<void>;
}

export const ConfigSource = token<ConfigSource>("ConfigSource");

/** One raw item of a source: the orchestrator decodes it, so that every source reports bad input alike. */
export interface SourceItem {
  readonly key: string;
  /** `undefined` deletes. Bytes are JSON or protobuf, told by `contentType` or by looking. */
  readonly value: Uint8Array | object | undefined;
  readonly contentType?: string;
  /** Where it came from, for the dead letter: `tenuto-config@17`, `quickstart.yaml`. */
  readonly origin?: string;
}

/**
 * What a source knows about the values that it desired before and that a snapshot lacks. Silence removes nothing: only a source
 * that can tell a missed delete from a loss may say `continuous`.
 *
 * - `complete`: somebody said that the snapshot is everything (an explicit empty document, a marker of the orchestrator). What
 *   is absent is given up, and so is what was kept before.
 * - `continuous`: the source has proof that it lost nothing since the stored position. What is absent was deleted while the
 *   agent was away, and is given up; what was kept before stays kept.
 * - `unknown`: it cannot tell. What is absent stays desired, marked as kept with the reason, and the agent is degraded until
 *   the source sets or deletes it, says `complete`, or an operator prunes.
 */
export type Absence =
  | { readonly kind: "complete" }
  | { readonly kind: "continuous" }
  | { readonly kind: "unknown"; readonly reason: string };

/** How far a source has read, as JSON of its own making. Stored in one write with the values that it covers. */
export type SourcePosition = object;

/** The position that a source stored, checked by its schema; `undefined` when there is none, or one of another version. */
export function storedPosition<T>(schema: z.ZodType<T>, stored: SourcePosition | undefined): T | undefined {
  return schema.safeParse(stored).data;
}

/** Given to a source by the orchestrator. All resolve when the result is known and stored: acknowledge after that. */
export interface ConfigConsumer {
  /** The position stored with the last delivery; `undefined` for a new source and after a loss of the store. */
  readonly position: SourcePosition | undefined;
  /** Keys, in full, of the values that the source wants, and of those that it has lost and that stay. */
  heldKeys(): ReadonlySet<string>;
  snapshot(items: readonly SourceItem[], absence: Absence, position?: SourcePosition): Promise<TransactionResult>;
  change(items: readonly SourceItem[], position?: SourcePosition): Promise<TransactionResult>;
}
