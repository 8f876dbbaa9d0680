import type {
  Origin,
  RecordedOperation,
  RetrievedValue,
  TransactionKind,
  TransactionRecord,
  ValueStatusRecord,
} from "#core/scheduler/api/scheduler.js";

/**
 * The shapes in which Ligato's KVScheduler REST API answers. Only the fields that we have are there, and a value is given as
 * JSON where Ligato has protobuf text.
 */

/** `ValueOrigin` of Ligato's kvscheduler API. */
const ORIGIN: Readonly<Record<Origin, number>> = { unknown: 0, northbound: 1, southbound: 2 };

const TRANSACTION_TYPE: Readonly<Record<TransactionKind, { TxnType: string; ResyncType?: string }>> = {
  update: { TxnType: "NBTransaction" },
  revert: { TxnType: "NBTransaction" },
  "full-resync": { TxnType: "NBTransaction", ResyncType: "FullResync" },
  "upstream-resync": { TxnType: "NBTransaction", ResyncType: "UpstreamResync" },
  "downstream-resync": { TxnType: "NBTransaction", ResyncType: "DownstreamResync" },
  notification: { TxnType: "SBNotification" },
  retry: { TxnType: "RetryFailedOps" },
};

export function ligatoValue({ key, value, metadata, origin }: RetrievedValue): object {
  return { Key: key, Value: value, Metadata: metadata ?? null, Origin: ORIGIN[origin] };
}

export function ligatoStatus(status: ValueStatusRecord): object {
  const derived = status.derived.map(valueStatus);
  return { value: valueStatus(status), ...(derived.length === 0 ? {} : { derived_values: derived }) };
}

function valueStatus({ key, state, error, lastOperation, details }: ValueStatusRecord): object {
  return {
    key,
    state,
    ...(lastOperation === "UNDEFINED" ? {} : { lastOperation }),
    ...(error === "" ? {} : { error }),
    ...(details.length === 0 ? {} : { details }),
  };
}

export function ligatoRecord(record: TransactionRecord): object {
  return {
    SeqNum: record.seq,
    ...TRANSACTION_TYPE[record.kind],
    Start: timestamp(record.start),
    Stop: timestamp(record.stop),
    ...(record.description === "" ? {} : { Description: record.description }),
    Values: record.values.map(({ key, state }) => ({ Key: key, State: state })),
    Planned: record.planned.map(operation),
    Executed: record.executed.map(operation),
    ...(record.reverted ? { Reverted: true } : {}),
    ...(record.error === "" ? {} : { Error: record.error }),
  };
}

function operation({ operation: name, key, state, error, derived, recreate }: RecordedOperation): object {
  return {
    Operation: name,
    Key: key,
    NewState: state,
    ...(error === "" ? {} : { NewErrMsg: error }),
    ...(derived ? { IsDerived: true } : {}),
    ...(recreate ? { IsRecreate: true } : {}),
  };
}

/** A transaction for people: a heading and a line per executed operation. */
export function recordAsText(record: TransactionRecord): string {
  const { TxnType, ResyncType } = TRANSACTION_TYPE[record.kind];
  const heading = [
    `#${record.seq}`,
    ResyncType ?? TxnType,
    timestamp(record.start),
    `${Math.round(record.stop - record.start)} ms`,
    ...(record.description === "" ? [] : [JSON.stringify(record.description)]),
    ...(record.reverted ? ["REVERTED"] : []),
    ...(record.error === "" ? [] : [`error: ${record.error}`]),
  ].join("  ");
  return `${[heading, ...record.executed.map(operationAsText)].join("\n")}\n`;
}

function operationAsText({ operation: name, key, state, error, derived }: RecordedOperation): string {
  const failure = error === "" ? "" : `  ${error}`;
  return `  ${name.padEnd(8)} ${state.padEnd(12)} ${derived ? "  " : ""}${key}${failure}`;
}

function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
