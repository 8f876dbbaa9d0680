import { SouthboundError } from "#core/errors.js";
import { align, Reader, Writer } from "../codec/buffer.js";
import { headerBytes } from "../codec/message.js";
import { errnoName } from "../sys/errno.js";
import type { CallResult } from "../worker/channel.js";
import type { RefusedRequest } from "../worker/protocol.js";
import type { RequestKind } from "./operations.js";

const neededCapability: Readonly<Record<string, string>> = {
  EPERM: "needs CAP_NET_ADMIN in the network namespace",
  EACCES: "needs CAP_NET_ADMIN in the network namespace",
};

/**
 * What the kernel said to a request, as an error that names the object, the errno, the kernel's text and the
 * attribute.
 */
export function requestError<T>(operation: RequestKind<T>, value: T, failure: RefusedRequest): SouthboundError {
  const code = errnoName(failure.errno);
  const field = failure.attributeOffset > 0 ? attributeAt(operation, value, failure.attributeOffset) : undefined;
  const reason = [failure.text || neededCapability[code], field && `attribute ${field}`].filter(Boolean).join(", ");
  const message = `${operation.describe(value)}: ${code}${reason ? ` (${reason})` : ""}`;
  return new SouthboundError(code, message, { field });
}

/**
 * The top-level attribute at an offset of the message. The message is long gone, so it is written once more: failures
 * are rare, and the common case should not keep its bytes.
 */
function attributeAt<T>(operation: RequestKind<T>, value: T, offset: number): string | undefined {
  if (!operation.attributes) return undefined;
  const { headerBytes: fixed, table } = operation.attributes;
  const writer = new Writer();
  operation.encode(writer, value);
  const { view } = new Reader(writer.take());
  const desired = offset - headerBytes;
  for (let at = fixed; at + 4 <= view.byteLength; ) {
    const length = view.getUint16(at, true);
    if (length < 4) return undefined;
    const next = at + align(length);
    if (desired < next) return table.nameOf(view.getUint16(at + 2, true));
    at = next;
  }
  return undefined;
}

/** Throws `SouthboundError` when a call to the worker failed. `hint` says what EPERM means there. */
export function checkCall(what: string, { errno, text }: CallResult, hint: string): void {
  if (errno === 0) return;
  const code = errnoName(errno);
  const reason = code === "EPERM" || code === "EACCES" ? `${text}; ${hint}` : text;
  throw new SouthboundError(code, `${what}: ${reason}`);
}
