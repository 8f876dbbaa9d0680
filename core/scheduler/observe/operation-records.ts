import { withKey } from "../../errors.js";
import type { RecordedOperation, ValueState } from "../api/scheduler.js";
import type { Node } from "../graph/node.js";
import type { Operation } from "../plan/operations.js";

/** An operation as it is planned, and as it is recorded when it succeeds. */
export function expected({ kind, node, recreate }: Operation): RecordedOperation {
  const state = kind === "DELETE" ? (node.desired === undefined ? "REMOVED" : "PENDING") : "CONFIGURED";
  return describe(node, kind, state, recreate);
}

export function describe(
  node: Node,
  operation: RecordedOperation["operation"],
  state: ValueState,
  recreate = false,
): RecordedOperation {
  return { operation, key: node.key, derived: node.base !== undefined, state, error: "", recreate };
}

const ERRORS_IN_SUMMARY = 10;

/** What went wrong in a transaction, in a line. */
export function summaryOf(problems: readonly string[], executed: readonly RecordedOperation[]): string {
  const failures = executed.filter(({ error }) => error !== "");
  const errors = [...new Set(failures.map(({ key, error }) => withKey(key, error)))];
  const more = errors.length - ERRORS_IN_SUMMARY;
  return [...problems, ...errors.slice(0, ERRORS_IN_SUMMARY), ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
