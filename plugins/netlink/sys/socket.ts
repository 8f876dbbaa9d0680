import { check, libc } from "./libc.js";
import { attachFilter, detachFilter, ignoringRoutesOf } from "./socket-filter.js";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const NETLINK_ROUTE = 0;
const NETLINK_GENERIC = 16;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_DROP_MEMBERSHIP = 2;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
/** The kernel takes a send in one piece, which it only makes room for then. */
const requestedSendBytes = 4 * 1024 * 1024;
/** af_netlink.c, netlink_sendmsg */
const sendOverhead = 32;
/** struct sockaddr_nl: u16 family, u16 padding, u32 port, u32 groups. */
const addressBytes = 12;
const portOffset = 4;

/** Rtnetlink, or generic netlink, which families such as `ethtool` share. */
export type Protocol = "route" | "generic";

/** A netlink socket of the namespace that its thread was in when it was opened, for ever after. */
export class NetlinkSocket {
  /** What the kernel granted, in its own accounting (twice what was asked for, socket(7)). */
  readonly receiveBufferBytes: number;
  /** Most bytes of one send. */
  readonly sendBytes: number;

  private constructor(
    readonly fd: number,
    receiveBufferBytes: number,
  ) {
    setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, receiveBufferBytes);
    this.receiveBufferBytes = getOption(fd, SOL_SOCKET, SO_RCVBUF);
    setBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, requestedSendBytes);
    this.sendBytes = getOption(fd, SOL_SOCKET, SO_SNDBUF) - sendOverhead;
    // Errors carry no copy of the request but a text and the place of the attribute; dumps filter in the kernel.
    setOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    setOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    setOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  }

  static open(receiveBufferBytes: number, protocol: Protocol = "route"): NetlinkSocket {
    const number = protocol === "route" ? NETLINK_ROUTE : NETLINK_GENERIC;
    const fd = check("socket", () => libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, number));
    try {
      const address = new Uint8Array(addressBytes); // the kernel picks the port
      address[0] = AF_NETLINK;
      check("bind", () => libc.bind(fd, address, address.length));
      return new NetlinkSocket(fd, receiveBufferBytes);
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  }

  /** Sends whole netlink messages as one datagram. The kernel has carried them out when this returns. */
  send(bytes: Uint8Array): void {
    check("send", () => libc.send(this.fd, bytes, bytes.length, 0));
  }

  join(group: number): void {
    setOption(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  }

  /** The port that the kernel gave it. Notifications carry that of the socket whose request they are about. */
  get port(): number {
    const address = new Uint8Array(addressBytes);
    check("getsockname", () => libc.getsockname(this.fd, address, Uint32Array.of(addressBytes)));
    return new DataView(address.buffer).getUint32(portOffset, true);
  }

  /** Notifications of route changes that the requests of a port made are not received from now on. */
  ignoreRoutesOf(port: number): void {
    attachFilter(this.fd, ignoringRoutesOf(port));
  }

  hearEverything(): void {
    detachFilter(this.fd);
  }

  leave(group: number): void {
    setOption(this.fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, group);
  }

  close(): void {
    libc.close(this.fd);
  }
}

function setOption(fd: number, level: number, name: number, value: number): void {
  check("setsockopt", () => libc.setsockopt(fd, level, name, Int32Array.of(value), 4));
}

function getOption(fd: number, level: number, name: number): number {
  const value = new Int32Array(1);
  check("getsockopt", () => libc.getsockopt(fd, level, name, value, Uint32Array.of(4)));
  return value[0] ?? 0;
}

/** Above net.core.rmem_max and wmem_max where we may (CAP_NET_ADMIN in the initial user namespace), else as much as they allow. */
function setBuffer(fd: number, force: number, option: number, bytes: number): void {
  const value = Int32Array.of(bytes);
  if (libc.setsockopt(fd, SOL_SOCKET, force, value, 4) < 0) setOption(fd, SOL_SOCKET, option, bytes);
}
