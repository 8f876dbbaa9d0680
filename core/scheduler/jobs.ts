import type { Difference } from "./drift.js";
import type { Node } from "./node.js";
import type { SouthboundNotification, TransactionKind, TransactionSpec } from "./types.js";

/** A transaction as the scheduler queues it, whatever it came from. */
export interface Job {
  readonly kind: TransactionKind;
  readonly description: string;
  readonly changes: ReadonlyMap<string, object | undefined>;
  /** The changes are all the wanted values there are. */
  readonly replaceAll: boolean;
  /** What to read from below first. */
  readonly read: "nothing" | "everything" | ReadonlySet<string>;
  readonly notifications: readonly SouthboundNotification[];
  /** Further keys to look at. */
  readonly seeds: Iterable<string>;
  /** Decides about what a read of some keys found changed: returns the base values to leave as they are. */
  readonly judge?: ((found: readonly Difference[]) => ReadonlySet<Node>) | undefined;
  readonly atomic: boolean;
  readonly simulate: boolean;
  readonly rejectInvalid: boolean;
  readonly orphans: "keep" | "remove";
}

const nothing: Job = {
  kind: "update",
  description: "",
  changes: new Map(),
  replaceAll: false,
  read: "nothing",
  notifications: [],
  seeds: [],
  atomic: false,
  simulate: false,
  rejectInvalid: false,
  orphans: "keep",
};

export function commitJob(spec: TransactionSpec): Job {
  const { kind = "update", atomic = false, simulate = false } = spec;
  return {
    ...nothing,
    kind,
    description: spec.description ?? "",
    changes: spec.changes instanceof Map ? spec.changes : new Map(spec.changes),
    replaceAll: kind !== "update",
    // Reading writes into the books, which a simulation must leave alone.
    read: kind === "full-resync" && !simulate ? "everything" : "nothing",
    atomic: kind === "update" && atomic,
    simulate,
    rejectInvalid: spec.rejectInvalid ?? false,
    orphans: spec.orphans ?? "keep",
  };
}

export function downstreamResyncJob(description: string): Job {
  return { ...nothing, kind: "downstream-resync", description, read: "everything" };
}

export function notificationJob(notifications: readonly SouthboundNotification[]): Job {
  return { ...nothing, kind: "notification", description: "notification from below", notifications };
}

/** Reads base keys and puts right what differs; not what `judge` says. */
export function refreshJob(description: string, read: ReadonlySet<string>, judge?: Job["judge"]): Job {
  return { ...nothing, kind: "notification", description, read, judge };
}

export function retryJob(seeds: readonly string[]): Job {
  return { ...nothing, kind: "retry", description: "retry of failed operations", seeds };
}

export function revertJob(description: string, changes: Job["changes"]): Job {
  return { ...nothing, kind: "revert", description, changes };
}
