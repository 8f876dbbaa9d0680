import { token } from "../plugin/token.js";
import type { KeyValue } from "./northbound.js";
import type { TransactionResult } from "./transaction.js";

/** A desired value that is not to be applied yet. */
export interface HeldValue {
  /** What is applied in its place until then; `undefined`: nothing. */
  readonly applied: object | undefined;
  /** What it waits for, as the details of a pending value say it: `plug of eth1`. */
  readonly waitsFor: string;
}

/** What is desired after merging every source. */
export interface DesiredView {
  get(key: string): object | undefined;
  /** In key order. */
  merged(prefix?: string): readonly KeyValue[];
}

/** Values to set, and keys to give up (`undefined`). */
export type GateChanges = ReadonlyMap<string, object | undefined>;

/** A transaction that a gate makes of what it held back. */
export interface GateTransaction {
  readonly id: string;
  readonly description: string;
  /** Called when its turn has come, and followed at once by the scheduler's transaction. */
  readonly changes: () => GateChanges;
}

/** What the orchestrator gives to a gate. */
export interface GateContext {
  readonly desired: DesiredView;
  /** Hands changes to the scheduler, in turn with everything else that is committed. Resolves with the result. */
  apply(transaction: GateTransaction): Promise<TransactionResult>;
  /** Resolves when what sources and requests had said before the call has been taken in. */
  settled(): Promise<void>;
}

/**
 * Port: stands between the desired state and the scheduler, and decides which of the desired values are applied now. What it
 * holds back stays desired, is `PENDING` in the status, and reaches the scheduler when the gate says so.
 *
 * The orchestrator asks `hold` about every key that it is about to commit, and calls `changed` when the commit counts; both
 * one commit at a time. A value that is invalid is never held: the scheduler refuses and shows it.
 */
export interface ConfigGate {
  readonly name: string;
  /** Called once, before the first resync; the desired state is what the agent's store knows. */
  open(context: GateContext): void | Promise<void>;
  /** `undefined`: what is desired under the key, or that nothing is, goes to the scheduler as it is. */
  hold(key: string): HeldValue | undefined;
  /** Everything that the gate keeps applied in place of what is desired. */
  applied(): Iterable<KeyValue>;
  /** What is desired under these keys has changed, for good. */
  changed(keys: Iterable<string>): void;
}

export const ConfigGate = token<ConfigGate>("ConfigGate");
