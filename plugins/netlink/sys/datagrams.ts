import { addressOf, lastErrno, libc } from "./libc.js";

const headerBytes = 64; // struct mmsghdr
const vectorBytes = 16; // struct iovec
const lengthOffset = 56; // mmsghdr.msg_len
const flagsOffset = 48; // mmsghdr.msg_hdr.msg_flags

export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
/** Block for the first datagram only. */
export const MSG_WAITFORONE = 0x10000;

/**
 * Room for many datagrams that one `recvmmsg` fills: acks come as a datagram each, and a call costs more than the copy.
 * The contents are valid until the next `receive`.
 */
export class Datagrams {
  readonly bytes: Uint8Array;
  private readonly headers: Uint8Array;
  private readonly headerView: DataView;
  private readonly vectors: ArrayBuffer;

  /** A dump fills datagrams of up to 32 KiB when `slotBytes` has room for it (af_netlink.c, netlink_recvmsg). */
  constructor(
    readonly slots: number,
    readonly slotBytes: number,
  ) {
    const memory = new ArrayBuffer(slots * slotBytes);
    const headers = new ArrayBuffer(slots * headerBytes);
    this.vectors = new ArrayBuffer(slots * vectorBytes);
    const vectorView = new DataView(this.vectors);
    this.bytes = new Uint8Array(memory);
    this.headers = new Uint8Array(headers);
    this.headerView = new DataView(headers);
    for (let slot = 0; slot < slots; slot++) {
      vectorView.setBigUint64(slot * vectorBytes, addressOf(memory) + BigInt(slot * slotBytes), true);
      vectorView.setBigUint64(slot * vectorBytes + 8, BigInt(slotBytes), true);
      const vector = addressOf(this.vectors) + BigInt(slot * vectorBytes);
      this.headerView.setBigUint64(slot * headerBytes + 16, vector, true); // msg_iov
      this.headerView.setBigUint64(slot * headerBytes + 24, 1n, true); // msg_iovlen
    }
  }

  /** How many datagrams arrived, or the negated errno. */
  receive(fd: number, flags: number): number {
    const count = libc.recvmmsg(fd, this.headers, this.slots, flags, null);
    return count < 0 ? -lastErrno() : count;
  }

  offset(slot: number): number {
    return slot * this.slotBytes;
  }

  end(slot: number): number {
    return slot * this.slotBytes + this.headerView.getUint32(slot * headerBytes + lengthOffset, true);
  }

  truncated(slot: number): boolean {
    return (this.headerView.getUint32(slot * headerBytes + flagsOffset, true) & MSG_TRUNC) !== 0;
  }
}
