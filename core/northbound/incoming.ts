import { textMember } from "../model/json-scan.js";
import type { Encoding } from "../model/types.js";
import type { TransactionResult } from "./transaction.js";

const BLANKS = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OPENING = new Set([0x7b, 0x5b]);

/** The encoding that a request came in, which its answer gets too: by content type, else by looking. Empty is JSON. */
export function requestEncoding(data: Uint8Array, contentType: string): Encoding {
  if (/protobuf/i.test(contentType)) return "protobuf";
  if (/json/i.test(contentType)) return "json";
  const first = data.find((byte) => !BLANKS.has(byte));
  return first === undefined || OPENING.has(first) ? "json" : "protobuf";
}

/** The id of a transaction that could not be decoded, so that its sender can tell which one was rejected; else empty. */
export function idOf(data: Uint8Array): string {
  const id = textMember(data, "id") ?? "";
  return id.length <= MAX_ID_LENGTH ? id : "";
}

/** A result that says nothing of values. */
export function emptyResult(id: string, outcome: "PART" | "REJECTED", error = ""): TransactionResult {
  return { id, seq: 0, outcome, error, values: [], operations: [] };
}

/** Characters of a transaction's id. */
export const MAX_ID_LENGTH = 256;

/** Most of one transaction. Two bytes can be a change, so that its changes are counted too. */
export interface TransactionLimits {
  readonly maxBytes: number;
  readonly maxChanges: number;
}

/** Defaults of `orchestrator.max_transaction_bytes` and `orchestrator.max_transaction_changes`. */
export const DEFAULT_TRANSACTION_LIMITS: TransactionLimits = { maxBytes: 64 * 1024 * 1024, maxChanges: 1_000_000 };

/** From the configuration of the whole agent. */
export function transactionLimits(configuration: object): TransactionLimits {
  const { orchestrator = {} } = configuration as { readonly orchestrator?: Readonly<Record<string, unknown>> };
  const { max_transaction_bytes: bytes, max_transaction_changes: changes } = orchestrator;
  return {
    maxBytes: typeof bytes === "number" ? bytes : DEFAULT_TRANSACTION_LIMITS.maxBytes,
    maxChanges: typeof changes === "number" ? changes : DEFAULT_TRANSACTION_LIMITS.maxChanges,
  };
}
