import type { ValueState } from "../scheduler/api/scheduler.js";
import type { AgentEvent } from "./events.js";
import type { OperationResult, TransactionResult, ValueStatus } from "./transaction.js";

/** What somebody needs to see first when not everything fits. */
const URGENCY: Partial<Record<ValueState, number>> = {
  FAILED: 0,
  INVALID: 0,
  RETRYING: 0,
  UNIMPLEMENTED: 1,
  MISSING: 1,
  PENDING: 1,
};
const NOT_URGENT = 2;

function urgency(item: ValueStatus | OperationResult): number {
  return URGENCY[item.state] ?? NOT_URGENT;
}

function byUrgency<T extends ValueStatus | OperationResult>(items: readonly T[]): readonly T[] {
  // Mostly nothing is urgent.
  return items.every((item) => urgency(item) === NOT_URGENT)
    ? items
    : items.toSorted((a, b) => urgency(a) - urgency(b));
}

/** So many entries tell about how long one is. */
const SAMPLE = 200;
/** A result that seems so many times too long is not encoded as a whole to find out. */
const SURELY_TOO_LONG = 2;

/** Characters of a text, and texts of a list, that are left of what is too long. A text may take six bytes for a character. */
const TEXT = 1_000;
const TEXTS = 20;

/** The beginning of a text; of a message with so little room that a few such texts fill it even less. */
function brief(text: string, limit: number): string {
  const most = Math.min(TEXT, Math.floor(limit / 32));
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

function briefStatus(status: ValueStatus, limit: number): ValueStatus {
  const details = status.details.slice(0, TEXTS).map((detail) => brief(detail, limit / TEXTS));
  return { ...status, error: brief(status.error, limit), details };
}

function briefOperation(operation: OperationResult, limit: number): OperationResult {
  return { ...operation, error: brief(operation.error, limit) };
}

/**
 * The result as one message of at most `limit` bytes. When it is larger: failed and pending values first, as many as fit,
 * then the operations, with `truncated: true` and no more than the beginning of long texts. The cost follows the limit, not the
 * size of the result.
 */
export function fitResult(
  result: TransactionResult,
  limit: number,
  encode: (result: TransactionResult) => Uint8Array,
): Uint8Array {
  const entries = result.values.length + result.operations.length;
  const length = likelyLength(result, encode);
  if (length <= SURELY_TOO_LONG * limit) {
    const whole = encode(result);
    if (whole.length <= limit) return whole;
  }
  const values = byUrgency(result.values);
  const operations = byUrgency(result.operations);
  const first = (count: number): Uint8Array =>
    encode({
      ...result,
      error: brief(result.error, limit),
      values: values.slice(0, count).map((status) => briefStatus(status, limit)),
      operations: operations
        .slice(0, Math.max(0, count - values.length))
        .map((operation) => briefOperation(operation, limit)),
      truncated: true,
    });
  // Encoding is what costs: begin near the answer, and be content with one that leaves a few percent of room.
  let fits = 0;
  let best: Uint8Array | undefined;
  let tooMany = entries + 1;
  let next = Math.floor((0.98 * entries * limit) / length);
  while (tooMany - fits > 1 + (fits >> 4)) {
    const count = Math.min(Math.max(next, fits + 1), tooMany - 1);
    const message = first(count);
    if (message.length <= limit) {
      fits = count;
      best = message;
      next = Math.floor((0.99 * count * limit) / message.length);
    } else {
      tooMany = count;
      next = (fits + count) >> 1;
    }
    if (best !== undefined && best.length > 0.94 * limit) break;
  }
  return best ?? first(0);
}

/**
 * What an event says, in JSON of at most `limit` bytes as far as it can be cut: a result as its answer is, the reasons of a value, a
 * dead letter's payload.
 */
export function fitEvent(event: AgentEvent, limit: number): Uint8Array {
  if (event.kind === "transaction") return fitResult(event.data, limit, jsonBytes);
  const whole = jsonBytes(event.data);
  if (whole.length <= limit) return whole;
  if (event.kind === "value") return jsonBytes(briefStatus(event.data, limit));
  if (event.kind !== "deadletter") return whole;
  const { payload, error } = event.data;
  // One character may take six bytes of JSON.
  const beginning = payload.slice(0, Math.floor(limit / 12));
  return jsonBytes({ ...event.data, error: brief(error, limit), payload: beginning, truncated: true });
}

function jsonBytes(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** Bytes, as far as some of the entries can tell. */
function likelyLength(result: TransactionResult, encode: (result: TransactionResult) => Uint8Array): number {
  const values = result.values.slice(0, SAMPLE);
  const operations = result.operations.slice(0, SAMPLE);
  const sample = encode({ ...result, values, operations }).length;
  const entries = values.length + operations.length;
  return entries === 0 ? sample : (sample * (result.values.length + result.operations.length)) / entries;
}
