import { withKey } from "#core/errors.js";
import type { OperationResult, Outcome, TransactionResult, ValueStatus } from "#core/northbound/index.js";
import type {
  RecordedOperation,
  TransactionRecord,
  ValueState,
  ValueStatusRecord,
} from "#core/scheduler/api/scheduler.js";
import type { Refusal } from "./validation.js";

/** States in which a value is not as it was desired, and not just waiting. */
const BAD_STATES: ReadonlySet<ValueState> = new Set(["INVALID", "FAILED", "RETRYING", "MISSING", "UNIMPLEMENTED"]);

export function isBad(state: ValueState): boolean {
  return BAD_STATES.has(state);
}

/** Values, derived ones too, that their descriptors refused. */
export function invalidIn(record: TransactionRecord): readonly ValueStatusRecord[] {
  const invalid: ValueStatusRecord[] = [];
  for (const status of record.values) {
    for (const each of flatten(status)) if (each.state === "INVALID") invalid.push(each);
  }
  return invalid;
}

function isOrHasBad(status: ValueStatusRecord): boolean {
  return isBad(status.state) || status.derived.some(isOrHasBad);
}

/** Of a transaction that was executed. */
export function outcomeOf(record: TransactionRecord): Outcome {
  if (record.reverted) return "REVERTED";
  const bad = record.error !== "" || record.values.some(isOrHasBad);
  return bad ? "PARTIAL" : "APPLIED";
}

export function resultOf(
  id: string,
  outcome: Outcome,
  record: TransactionRecord,
  error = record.error,
): TransactionResult {
  const operations = outcome === "PLANNED" ? record.planned : record.executed;
  return {
    id,
    seq: record.seq,
    outcome,
    error,
    values: allStatuses(record.values),
    operations: operations.map(operationOf),
  };
}

/** The answer to a transaction that was refused before anything was touched. */
export function rejection(id: string, refusals: readonly Refusal[]): TransactionResult {
  return {
    id,
    seq: 0,
    outcome: "REJECTED",
    error: summary(refusals.map(({ message }) => message)),
    values: refusals.filter(({ key }) => key !== "").map(invalidStatus),
    operations: [],
  };
}

/** The first message in full, and how many more there are. */
export function summary(messages: readonly string[]): string {
  const [first = ""] = messages;
  return messages.length > 1 ? `${first} (and ${messages.length - 1} more)` : first;
}

/**
 * The status of a base value, followed by those of its derived values that are not as they should be. One that is fine
 * says nothing that the base does not say.
 */
export function statusesOf(record: ValueStatusRecord): readonly ValueStatus[] {
  const [base, ...derived] = flatten(record);
  return [
    ...(base === undefined ? [] : [base]),
    ...derived.filter(({ state }) => state === "PENDING" || isBad(state)),
  ].map(statusOf);
}

/** Most values have nothing that derives from them. */
function allStatuses(records: readonly ValueStatusRecord[]): readonly ValueStatus[] {
  const statuses: ValueStatus[] = [];
  for (const record of records) {
    if (record.derived.length === 0) statuses.push(statusOf(record));
    else statuses.push(...statusesOf(record));
  }
  return statuses;
}

/** A value and all that derive from it. */
export function flatten(record: ValueStatusRecord): readonly ValueStatusRecord[] {
  return record.derived.length === 0 ? [record] : [record, ...record.derived.flatMap(flatten)];
}

export function statusOf({ key, state, error, lastOperation, details }: ValueStatusRecord): ValueStatus {
  return { key, state, error, last_operation: lastOperation, details };
}

export function operationOf({ operation, key, derived, state, error }: RecordedOperation): OperationResult {
  return { operation, key, derived, state, error };
}

function invalidStatus({ key, field, message }: Refusal): ValueStatus {
  return { key, state: "INVALID", error: message, last_operation: "VALIDATE", details: field === "" ? [] : [field] };
}

/** Why a value is invalid, with its key. */
export function invalidReason({ key, error, details }: ValueStatusRecord): string {
  return withKey(key, error === "" ? details.join("; ") : error);
}
