import type { Dependency, Descriptor, InvalidField, ValueState } from "../api/scheduler.js";
import type { Expectation } from "./expectation.js";

/** A descriptor whose value and metadata types the graph need not know. */
export type AnyDescriptor = Descriptor<object, unknown>;

export const NO_DEPENDENCIES: readonly Dependency[] = [];

/** Why the last operation on a value failed. */
export interface OperationFailure {
  readonly message: string;
  readonly retriable: boolean;
  /** Retries made so far. */
  readonly attempts: number;
  /** A retry is on its way. */
  retrying: boolean;
}

export interface RejectedValue {
  readonly value: object;
  readonly fields: readonly InvalidField[];
}

export type LastOperation = "UNDEFINED" | "VALIDATE" | "CREATE" | "UPDATE" | "DELETE";

/** What is said of a value, apart from the value itself. */
export interface ValueCondition {
  readonly state: ValueState;
  readonly error: string;
  readonly details: readonly string[];
}

/** When something came about: ms since the epoch, and the number of the transaction. One object serves all that changed then. */
export interface Moment {
  readonly time: number;
  readonly transaction: number;
}

/**
 * One key of the graph: what northbound wants there, what somebody else put there, and what is in the southbound as far as known.
 * `value !== undefined` means that it is present.
 */
export class Node {
  /** What northbound wants, and valid (for a derived value: what its base's desired value derives). */
  desired: object | undefined = undefined;
  /**
   * `desired` is what was found in the southbound, ours and asked for by nobody: it stays as it is until somebody says something about it. Of a base
   * value; what derives from it goes along.
   */
  orphaned = false;
  /** What somebody else put there; shows through when nobody wants anything. */
  obtained: object | undefined = undefined;
  /** What is in the southbound. */
  value: object | undefined = undefined;
  /** The southbound value is ours. False for an obtained one. */
  managed = false;
  metadata: unknown = undefined;
  /** What the last read expected here; see `expectation`. */
  expectation: Expectation | undefined = undefined;
  /** Number of the last read that found it. */
  foundIn = 0;

  /** The value this one is derived from. */
  base: Node | undefined = undefined;
  /** Derived values, desired or present. */
  derived: Set<Node> | undefined = undefined;

  /** Dependencies of `desired`, and of `value`. The same array when both are the same. */
  desiredDependencies: readonly Dependency[] = NO_DEPENDENCIES;
  appliedDependencies: readonly Dependency[] = NO_DEPENDENCIES;

  /** The key that each `anyOf` dependency (by name) of `value` rests on. */
  supports: ReadonlyMap<string, string> | undefined = undefined;

  /** A value that was asked for, but is invalid. What was desired before stays desired. */
  rejected: RejectedValue | undefined = undefined;
  failure: OperationFailure | undefined = undefined;
  /**
   * A descriptor that did not answer in time must not be called again before it has answered (`awaited`), and what it did
   * in the end has been read (`unread`).
   */
  lateAnswer: "none" | "awaited" | "unread" = "none";
  /** A refresh or resync found that it had vanished. */
  missing = false;
  lastOperation: LastOperation = "UNDEFINED";

  /** What the timeline recorded last; see `Timeline`. `undefined`: that there was nothing. */
  recordedAt: Moment | undefined = undefined;
  recordedCondition: ValueCondition | undefined = undefined;
  recordedValue: object | undefined = undefined;

  /** Notes of the plan being made or executed; valid while `epoch` is the plan's. */
  epoch = 0;
  /** Must be absent at some moment of the plan. */
  broken = false;
  /** Exists when the plan is done. */
  exists = false;
  /** Its desired value is in the southbound when the plan is done. */
  granted = false;
  /** Present, and its dependencies have to be checked anew. */
  tentative = false;
  deleteOperation = -1;
  putOperation = -1;
  /** What the `anyOf` dependencies of the value to come rest on; valid while `notedIn` is the plan's epoch. */
  notedSupports: ReadonlyMap<string, string> | undefined = undefined;
  notedIn = 0;
  /** Number of the run of a transaction that looked at it last. */
  lookedIn = 0;
  /** The graph does not know it any more. */
  forgotten = false;
  /** Number of the transaction in which its last operation failed; not tried again within it. */
  failedIn = 0;

  constructor(
    readonly key: string,
    readonly descriptor: AnyDescriptor | undefined,
  ) {}

  get present(): boolean {
    return this.value !== undefined;
  }

  /** Nothing is known or desired here any more. */
  get idle(): boolean {
    return (
      this.desired === undefined &&
      this.value === undefined &&
      this.obtained === undefined &&
      this.failure === undefined &&
      this.rejected === undefined
    );
  }

  /** Northbound wants it, and somebody knows how to make it. */
  get eligible(): boolean {
    return this.desired !== undefined && this.descriptor !== undefined;
  }
}

/** Is it an orphan, or part of one? */
export function isOrphaned(node: Node): boolean {
  return root(node).orphaned;
}

/** The value a derived value comes from in the end; the value itself when it is not derived. */
export function root(node: Node): Node {
  let current = node;
  while (current.base !== undefined) current = current.base;
  return current;
}

/** A value and everything derived from it. */
export function withParts(node: Node | undefined): Node[] {
  if (node === undefined) return [];
  return node.derived === undefined ? [node] : [node, ...[...node.derived].flatMap(withParts)];
}
