import { Writer } from "#plugins/netlink/codec/buffer.js";
import {
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from "#plugins/netlink/codec/constants.js";
import { beginMessage, endMessage } from "#plugins/netlink/codec/message.js";
import { encodeRoute, writeRouteHeader } from "#plugins/netlink/codec/route.js";
import type { Route } from "#plugins/netlink/index.js";
import { Datagrams, MSG_WAITFORONE } from "#plugins/netlink/sys/datagrams.js";
import { NetlinkSocket } from "#plugins/netlink/sys/socket.js";

const messagesPerSend = 128;
const NLMSG_DONE = 3;
const AF_INET = 2;

/** The floor: a socket on the main thread, and nothing around it. */
export class BareNetlink {
  private readonly socket = NetlinkSocket.open(4 * 1024 * 1024);
  private readonly datagrams = new Datagrams(64, 32 * 1024);

  /** Adds routes, so many to a system call, and waits for the acks of each call. Throws at the first refusal. */
  addRoutes(routes: readonly Route[]): void {
    for (let from = 0; from < routes.length; from += messagesPerSend) {
      const writer = new Writer(16_384);
      const some = routes.slice(from, from + messagesPerSend);
      for (const [index, route] of some.entries()) {
        const last = index === some.length - 1;
        const start = beginMessage(writer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | (last ? NLM_F_ACK : 0), index);
        encodeRoute(writer, route);
        endMessage(writer, start);
      }
      this.socket.send(writer.take());
      this.expectAck();
    }
  }

  /** Reads the IPv4 routes of a protocol from the kernel without decoding them. Returns the bytes. */
  dumpRoutes(protocol: number): number {
    const writer = new Writer();
    const start = beginMessage(writer, RTM_GETROUTE, NLM_F_DUMP, 0);
    writeRouteHeader(writer, AF_INET, 0, protocol);
    endMessage(writer, start);
    this.socket.send(writer.take());
    let bytes = 0;
    for (;;) {
      const received = this.receive();
      for (let slot = 0; slot < received; slot++) {
        const view = new DataView(this.datagrams.bytes.buffer, this.datagrams.offset(slot));
        bytes += this.datagrams.end(slot) - this.datagrams.offset(slot);
        if (view.getUint16(4, true) === NLMSG_DONE) return bytes;
      }
    }
  }

  close(): void {
    this.socket.close();
  }

  private expectAck(): void {
    const received = this.receive();
    const errno = new DataView(this.datagrams.bytes.buffer).getInt32(this.datagrams.offset(0) + 16, true);
    if (received !== 1 || errno !== 0) throw new Error(`the kernel refused a route: errno ${-errno}`);
  }

  private receive(): number {
    const received = this.datagrams.receive(this.socket.fd, MSG_WAITFORONE);
    if (received <= 0) throw new Error(`recvmmsg failed with errno ${-received}`);
    return received;
  }
}
