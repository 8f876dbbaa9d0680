import { headers, type MsgHdrs } from "nats";
import { errorMessage, TenutoError } from "#core/errors.js";
import { CONTENT_TYPE, type Encoding } from "#core/model/types.js";
import { CONTENT_TYPE_HEADER } from "#proto/nats.js";

/** Headers of the NATS service API (ADR-32): tools show a reply that has them as an error. */
const SERVICE_ERROR = "Nats-Service-Error";
const SERVICE_ERROR_CODE = "Nats-Service-Error-Code";

const BLANKS = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OPENING = new Set([0x7b, 0x5b]);

/** A message ready to be sent. */
export interface Outgoing {
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
}

/** The encoding that a request came in, which its answer gets too: by `Content-Type`, else by looking. Empty is JSON. */
export function requestEncoding(data: Uint8Array, contentType: string): Encoding {
  if (/protobuf/i.test(contentType)) return "protobuf";
  if (/json/i.test(contentType)) return "json";
  const first = data.find((byte) => !BLANKS.has(byte));
  return first === undefined || OPENING.has(first) ? "json" : "protobuf";
}

export function contentTypeOf(message: { readonly headers?: MsgHdrs | undefined }): string {
  return message.headers?.get(CONTENT_TYPE_HEADER) ?? "";
}

export function outgoing(data: Uint8Array, encoding: Encoding): Outgoing {
  const head = headers();
  head.set(CONTENT_TYPE_HEADER, CONTENT_TYPE[encoding]);
  return { data, headers: head };
}

export function jsonBytes(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** A header is one line. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, " ");
}

/** The answer to a request that makes no sense (400), came to a busy agent (503) or met a failure of ours (500). */
export function errorReply(thrown: unknown): Outgoing {
  const known = thrown instanceof TenutoError ? thrown : undefined;
  const status = known?.code === "BUSY" ? "503" : known?.kind === "invalid-input" ? "400" : "500";
  const { code = "INTERNAL", key, field } = known ?? {};
  const message = errorMessage(thrown);
  const reply = outgoing(jsonBytes({ error: { code, message, key, field } }), "json");
  reply.headers.set(SERVICE_ERROR, oneLine(message));
  reply.headers.set(SERVICE_ERROR_CODE, status);
  return reply;
}
