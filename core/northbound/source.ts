import { token } from "../plugin/token.js";
import type { TransactionResult } from "./transaction.js";

/**
 * Port: a source of desired state. It delivers one snapshot, then changes. The orchestrator calls `start` once in its
 * `afterInit`; a source whose bus is away returns at once, reports itself degraded in health, and delivers its snapshot when
 * the bus comes. A new snapshot (after a reconnect that may have lost changes) replaces everything the source said before.
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

/** Given to a source by the orchestrator. Both resolve when the result is known and stored: acknowledge after that. */
export interface ConfigConsumer {
  snapshot(items: readonly SourceItem[]): Promise<TransactionResult>;
  change(items: readonly SourceItem[]): Promise<TransactionResult>;
}
