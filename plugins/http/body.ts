import type { IncomingHttpHeaders } from "node:http";
import { InvalidInputError, TenutoError } from "#core/errors.js";
import { parseJsonBody } from "#core/model/index.js";
import { CONTENT_TYPE } from "#core/model/types.js";
import { transactionLimits } from "#core/northbound/incoming.js";
import type { Transaction, TransactionResult } from "#core/northbound/index.js";
import type { Api } from "./api.js";
import { HttpReply, type Request } from "./exchange.js";

const TRANSACTION = "tenuto.v1.Transaction";
const TRANSACTION_RESULT = "tenuto.v1.TransactionResult";

/** What of a request says how it is written, and how the answer should be. */
type Headed = { readonly headers: IncomingHttpHeaders };

/**
 * The content type, when it tells something. `curl -d` says `application/x-www-form-urlencoded` about whatever it
 * sends, so that anything but the contract's two types is left to be told by looking.
 */
export function contentType({ headers }: Headed): string | undefined {
  const mediaType = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  return Object.values<string>(CONTENT_TYPE).find((known) => known === mediaType);
}

/** Throws `InvalidInputError` for a body that is no transaction. */
export async function decodeTransaction({ models, info }: Api, request: Request): Promise<Transaction> {
  const { maxChanges: maxEntries } = transactionLimits(info.configuration);
  return await models.decodeInSlices(TRANSACTION, request.body, { contentType: contentType(request), maxEntries });
}

/** The value of one key as it came: parsed when it is JSON, otherwise the bytes. */
export async function parseIfJson(bytes: Buffer, type: string | undefined): Promise<object> {
  if (type === CONTENT_TYPE.protobuf || (type === undefined && !looksLikeJson(bytes))) return bytes;
  const value = await parseJsonBody(bytes);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new InvalidInputError("NOT_JSON", "the body is not a JSON object");
}

/** The answer with a result: 422 when it was rejected, else 200. */
export function replyWithResult({ models }: Api, request: Headed, result: TransactionResult): HttpReply {
  const status = result.outcome === "REJECTED" ? 422 : 200;
  return replyWith(request, result, () => models.encodeMessage(TRANSACTION_RESULT, result, "protobuf"), status);
}

/** The answer in JSON, or in protobuf when the request came as protobuf or accepts nothing else. */
export function replyWith(request: Headed, message: object, binary: () => Uint8Array, status = 200): HttpReply {
  if (!wantsProtobuf(request)) return HttpReply.json(message, status);
  return HttpReply.of(CONTENT_TYPE.protobuf, binary(), { status });
}

/** The answer to a transaction that could not even be read. */
export function unreadable(cause: unknown): TransactionResult | undefined {
  if (!(cause instanceof TenutoError) || cause.kind !== "invalid-input") return undefined;
  return { id: "", seq: 0, outcome: "REJECTED", error: cause.message, values: [], operations: [] };
}

function wantsProtobuf(request: Headed): boolean {
  const { accept } = request.headers;
  if (accept !== undefined && accept !== "*/*") return accept.includes(CONTENT_TYPE.protobuf);
  return contentType(request) === CONTENT_TYPE.protobuf;
}

function looksLikeJson(bytes: Buffer): boolean {
  return /^\s*[{[]/.test(bytes.subarray(0, 64).toString("latin1"));
}
