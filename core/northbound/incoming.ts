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
  try {
    const parsed: unknown = JSON.parse(Buffer.from(data).toString("utf8"));
    const id = typeof parsed === "object" && parsed !== null && "id" in parsed ? parsed.id : "";
    return typeof id === "string" ? id : "";
  } catch (error) {
    if (error instanceof SyntaxError) return "";
    throw error;
  }
}

/** A result that says nothing of values. */
export function emptyResult(id: string, outcome: "PART" | "REJECTED", error = ""): TransactionResult {
  return { id, seq: 0, outcome, error, values: [], operations: [] };
}

/** Contract, "Transactions": the default of `orchestrator.max_transaction_bytes`. */
const MAX_TRANSACTION_BYTES = 64 * 1024 * 1024;

/** Bytes that a transaction in parts may have, from the configuration of the whole agent. */
export function maxTransactionBytes(configuration: object): number {
  const { orchestrator } = configuration as { readonly orchestrator?: { readonly max_transaction_bytes?: unknown } };
  const bytes = orchestrator?.max_transaction_bytes;
  return typeof bytes === "number" ? bytes : MAX_TRANSACTION_BYTES;
}
