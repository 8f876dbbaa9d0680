import { AttributeTable } from "../codec/attributes.js";
import type { Reader } from "../codec/buffer.js";
import { NLM_F_ACK_TLVS, NLMSG_ERROR } from "../codec/constants.js";
import { headerBytes, type Message } from "../codec/message.js";
import { string, u32 } from "../codec/scalars.js";
import { EBADMSG } from "../sys/errno.js";
import type { RefusedRequest, ReplyMessages } from "./protocol.js";

/** enum nlmsgerr_attrs; what is not listed here is of no use to a person who reads an error. */
const extendedAckTable = new AttributeTable("extended ack", { text: [1, string], offset: [2, u32] }, [3, 4, 5, 6]);

/** What the kernel said to the requests of one piece of work. */
export class ResultCollector {
  readonly failures: RefusedRequest[] = [];
  private readonly parts = new Map<number, Uint8Array<ArrayBuffer>[]>();

  fail(sequence: number, errno: number, text: string, attributeOffset = 0): void {
    this.failures.push({ sequence, errno, text, attributeOffset });
  }

  /** Takes an NLMSG_ERROR. Errno 0 is an ack and adds nothing. */
  addError(reader: Reader, message: Message): void {
    if (message.end - message.start < 4) {
      this.fail(message.sequence, EBADMSG, "the kernel's answer ends before its error number");
      return;
    }
    const errno = -reader.view.getInt32(message.start, true);
    if (errno === 0) return;
    // struct nlmsgerr: the errno, then (NETLINK_CAP_ACK) the header of the request, then the attributes.
    const attributes = (message.flags & NLM_F_ACK_TLVS) !== 0 ? message.start + 4 + headerBytes : message.end;
    const { text = "", offset = 0 } = extendedAckTable.decode(reader, attributes, message.end);
    this.fail(message.sequence, errno, text, offset);
  }

  /** Takes the end of a dump: NLMSG_ERROR, or NLMSG_DONE, which carries an errno as well. */
  addLast(reader: Reader, message: Message): void {
    if (message.type === NLMSG_ERROR) {
      this.addError(reader, message);
      return;
    }
    if (message.end - message.start < 4) return;
    const errno = -reader.view.getInt32(message.start, true);
    if (errno === 0) return;
    const { text = "", offset = 0 } = extendedAckTable.decode(reader, message.start + 4, message.end);
    this.fail(message.sequence, errno, text, offset);
  }

  addReply(sequence: number, bytes: Uint8Array<ArrayBuffer>): void {
    const parts = this.parts.get(sequence);
    if (parts) parts.push(bytes);
    else this.parts.set(sequence, [bytes]);
  }

  forgetReply(sequence: number): void {
    this.parts.delete(sequence);
  }

  get replies(): readonly ReplyMessages[] {
    return Array.from(this.parts, ([sequence, parts]) => ({ sequence, parts }));
  }

  get transfer(): readonly ArrayBuffer[] {
    return Array.from(this.parts.values(), (parts) => parts.map((part) => part.buffer)).flat();
  }
}
