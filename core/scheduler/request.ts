import type { SouthboundNotification, TransactionKind, TransactionSpec } from "./api/scheduler.js";
import type { Node } from "./graph/node.js";
import type { Difference } from "./retrieve/drift.js";

/** A transaction as the scheduler queues it, whatever it came from. */
export interface Request {
  readonly kind: TransactionKind;
  readonly description: string;
  readonly changes: ReadonlyMap<string, object | undefined>;
  /** The changes are all the desired values there are. */
  readonly replaceAll: boolean;
  /** What to read from the southbound first. */
  readonly read: "nothing" | "everything" | ReadonlySet<string>;
  readonly notifications: readonly SouthboundNotification[];
  /** Further keys to look at. */
  readonly keys: Iterable<string>;
  /** Decides about what a read of some keys found changed: returns the base values to leave as they are. */
  readonly judge?: ((found: readonly Difference[]) => ReadonlySet<Node>) | undefined;
  readonly atomic: boolean;
  readonly simulate: boolean;
  readonly rejectInvalid: boolean;
  readonly orphans: "keep" | "remove";
}

const nothing: Request = {
  kind: "update",
  description: "",
  changes: new Map(),
  replaceAll: false,
  read: "nothing",
  notifications: [],
  keys: [],
  atomic: false,
  simulate: false,
  rejectInvalid: false,
  orphans: "keep",
};

export function commitRequest(spec: TransactionSpec): Request {
  const { kind = "update", atomic = false, simulate = false } = spec;
  return {
    ...nothing,
    kind,
    description: spec.description ?? "",
    changes: spec.changes instanceof Map ? spec.changes : new Map(spec.changes),
    replaceAll: kind !== "update",
    // Reading writes into the cache, which a simulation must leave alone.
    read: kind === "full-resync" && !simulate ? "everything" : "nothing",
    atomic: kind === "update" && atomic,
    simulate,
    rejectInvalid: spec.rejectInvalid ?? false,
    orphans: spec.orphans ?? "keep",
  };
}

export function downstreamResyncRequest(description: string): Request {
  return { ...nothing, kind: "downstream-resync", description, read: "everything" };
}

export function notificationRequest(notifications: readonly SouthboundNotification[]): Request {
  return { ...nothing, kind: "notification", description: "notification from the southbound", notifications };
}

/** Reads base keys and puts right what differs; not what `judge` says. */
export function refreshRequest(description: string, read: ReadonlySet<string>, judge?: Request["judge"]): Request {
  return { ...nothing, kind: "notification", description, read, judge };
}

export function retryRequest(starts: readonly string[]): Request {
  return { ...nothing, kind: "retry", description: "retry of failed operations", keys: starts };
}

export function revertRequest(description: string, changes: Request["changes"]): Request {
  return { ...nothing, kind: "revert", description, changes };
}
