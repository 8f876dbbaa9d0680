import type { Reader } from "../codec/buffer.js";
import { align } from "../codec/buffer.js";
import { AF_UNSPEC, NLM_F_ACK, NLM_F_DUMP, RTM_DELLINK } from "../codec/constants.js";
import { headerBytes } from "../codec/message.js";
import type { Protocol } from "../sys/socket.js";

/**
 * What the answer to one request may take from the receive buffer, in the kernel's accounting (truesize). An error
 * with an extended ack measures 768 to 1,280 bytes; the reply to a GET is one page or two for a link with many virtual
 * functions.
 */
const ackBytes = 2048;
const replyBytes = 16 * 1024;

export interface BatchLimits {
  readonly protocol: Protocol;
  readonly messages: number;
  readonly bytes: number;
  readonly receiveBufferBytes: number;
}

export type Batch =
  /** Messages that may leave in one send. */
  | { readonly kind: "send"; readonly from: number; readonly to: number; readonly count: number }
  | { readonly kind: "dump"; readonly from: number; readonly to: number; readonly count: 1 }
  /** Deletions of links, one after the other. */
  | { readonly kind: "delete-links"; readonly from: number; readonly to: number; readonly count: number };

export function messageType({ view }: Reader, at: number): number {
  return view.getUint16(at + 4, true);
}

export function messageLength({ view }: Reader, at: number): number {
  return view.getUint32(at, true);
}

export function messageSequence({ view }: Reader, at: number): number {
  return view.getUint32(at + 8, true);
}

/** Rtnetlink types come in fours: NEW, DEL, GET, SET. */
function isGet(type: number): boolean {
  return (type & 3) === 2;
}

/** RTM_DELLINK of another family takes away something of a link: VLANs of a bridge port. */
function deletesLink(reader: Reader, at: number): boolean {
  return messageType(reader, at) === RTM_DELLINK && reader.view.getUint8(at + headerBytes) === AF_UNSPEC;
}

function isDump(reader: Reader, at: number): boolean {
  return isGet(messageType(reader, at)) && hasDumpFlags(reader, at);
}

/**
 * The next piece of work of a chunk of messages that starts at `from`. Bounds: a send never needs more room for
 * answers than there is.
 */
export function nextBatch(reader: Reader, from: number, limits: BatchLimits): Batch {
  if (limits.protocol === "generic") return nextGeneric(reader, from, limits);
  const end = reader.bytes.length;
  const first = messageType(reader, from);
  let to = from + align(messageLength(reader, from));
  if (isDump(reader, from)) return { kind: "dump", from, to, count: 1 };
  let count = 1;
  if (deletesLink(reader, from)) {
    for (; to < end && deletesLink(reader, to); count++) to += align(messageLength(reader, to));
    return { kind: "delete-links", from, to, count };
  }
  let room = limits.receiveBufferBytes - ackBytes - answerBytes(first);
  for (; to < end && count < limits.messages; count++) {
    const type = messageType(reader, to);
    const next = to + align(messageLength(reader, to));
    room -= answerBytes(type);
    if (room < 0 || next - from > limits.bytes || deletesLink(reader, to) || isDump(reader, to)) break;
    to = next;
  }
  return { kind: "send", from, to, count };
}

/** The type of a generic message is its family: any may be answered at length. */
function nextGeneric(reader: Reader, from: number, limits: BatchLimits): Batch {
  const end = reader.bytes.length;
  let to = from + align(messageLength(reader, from));
  if (hasDumpFlags(reader, from)) return { kind: "dump", from, to, count: 1 };
  let count = 1;
  let room = limits.receiveBufferBytes - ackBytes - replyBytes;
  for (; to < end && count < limits.messages && !hasDumpFlags(reader, to); count++) {
    const next = to + align(messageLength(reader, to));
    room -= replyBytes;
    if (room < 0 || next - from > limits.bytes) break;
    to = next;
  }
  return { kind: "send", from, to, count };
}

function hasDumpFlags({ view }: Reader, at: number): boolean {
  return (view.getUint16(at + 6, true) & NLM_F_DUMP) === NLM_F_DUMP;
}

function answerBytes(type: number): number {
  return isGet(type) ? replyBytes : ackBytes;
}

/** Offset of the last of `count` messages. */
export function lastMessage(reader: Reader, from: number, count: number): number {
  let at = from;
  for (let i = 1; i < count; i++) at += align(messageLength(reader, at));
  return at;
}

/**
 * Asks for an ack. Only the last message of a send needs it: rtnetlink carries messages out in order, and reports a
 * failure whether it was asked to or not (netlink_rcv_skb), so a message before the last that reported nothing
 * succeeded.
 */
export function askForAck({ view }: Reader, at: number): void {
  view.setUint16(at + 6, view.getUint16(at + 6, true) | NLM_F_ACK, true);
}
