import type { FastifyReply, FastifyRequest } from "fastify";
import { errorMessage, InvalidInputError, TenutoError } from "#core/errors.js";
import { CONTENT_TYPE } from "#core/model/types.js";
import type { Transaction, TransactionResult } from "#core/northbound/index.js";
import type { Api } from "./api.js";

const TRANSACTION = "tenuto.v1.Transaction";
const TRANSACTION_RESULT = "tenuto.v1.TransactionResult";

/**
 * The content type, when it tells something. `curl -d` says `application/x-www-form-urlencoded` about whatever it
 * sends, so that anything but the contract's two types is left to be told by looking.
 */
export function contentType(request: FastifyRequest): string | undefined {
  const mediaType = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  return Object.values<string>(CONTENT_TYPE).find((known) => known === mediaType);
}

/** Throws `InvalidInputError` for a body that is no transaction. */
export function decodeTransaction({ models }: Api, request: FastifyRequest): Transaction {
  return models.decodeMessage<Transaction>(TRANSACTION, bytesOf(request.body), contentType(request));
}

/** The value of one key as it came: parsed when it is JSON, otherwise the bytes. */
export function parseIfJson(body: unknown, type: string | undefined): object {
  const bytes = bytesOf(body);
  if (type === CONTENT_TYPE.protobuf || (type === undefined && !looksLikeJson(bytes))) return bytes;
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new InvalidInputError("NOT_JSON", `the body is not JSON: ${errorMessage(cause)}`, { cause });
  }
  throw new InvalidInputError("NOT_JSON", "the body is not a JSON object");
}

/** Answers a result: 422 when it was rejected, else 200. */
export function sendResult(
  { models }: Api,
  request: FastifyRequest,
  reply: FastifyReply,
  result: TransactionResult,
): FastifyReply {
  reply.code(result.outcome === "REJECTED" ? 422 : 200);
  return sendMessage(request, reply, result, () => models.encodeMessage(TRANSACTION_RESULT, result, "protobuf"));
}

/** Answers in JSON, or in protobuf when the request came as protobuf or accepts nothing else. */
export function sendMessage(
  request: FastifyRequest,
  reply: FastifyReply,
  message: object,
  binary: () => Uint8Array,
): FastifyReply {
  if (!wantsProtobuf(request)) return reply.send(message);
  return reply.type(CONTENT_TYPE.protobuf).send(Buffer.from(binary()));
}

/** The answer to a transaction that could not even be read. */
export function unreadable(cause: unknown): TransactionResult | undefined {
  if (!(cause instanceof TenutoError) || cause.kind !== "invalid-input") return undefined;
  return { id: "", seq: 0, outcome: "REJECTED", error: cause.message, values: [], operations: [] };
}

function wantsProtobuf(request: FastifyRequest): boolean {
  const { accept } = request.headers;
  if (accept !== undefined && accept !== "*/*") return accept.includes(CONTENT_TYPE.protobuf);
  return contentType(request) === CONTENT_TYPE.protobuf;
}

function bytesOf(body: unknown): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

function looksLikeJson(bytes: Buffer): boolean {
  return /^\s*[{[]/.test(bytes.subarray(0, 64).toString("latin1"));
}
