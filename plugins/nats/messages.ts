import { headers, type MsgHdrs } from "nats";
import { errorMessage, TenutoError } from "#core/errors.js";
import { CONTENT_TYPE, type Encoding } from "#core/model/types.js";
import { CONTENT_TYPE_HEADER } from "#proto/nats.js";

/** Headers of the NATS service API (ADR-32): tools show a reply that has them as an error. */
const SERVICE_ERROR = "Nats-Service-Error";
const SERVICE_ERROR_CODE = "Nats-Service-Error-Code";

/** A message ready to be sent. */
export interface Outgoing {
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
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

/** Is it an {@link errorReply}? */
export function isError({ headers: head }: Outgoing): boolean {
  return head.has(SERVICE_ERROR);
}
