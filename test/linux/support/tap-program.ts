import { closeSync, openSync, writeSync } from "node:fs";
import { check, libc } from "#plugins/netlink/sys/libc.js";
import "#test/support/sandbox.js";

/** TUNSETIFF, IFF_TAP and IFF_NO_PI of linux/if_tun.h. */
const TUNSETIFF = 0x400454ca;
const TAP_WITHOUT_HEADER = 0x1002;

/** A program that has a TAP open. */
export class TapProgram {
  private readonly fd = openSync("/dev/net/tun", "r+");

  constructor(hostName: string) {
    const request = Buffer.alloc(40);
    request.write(hostName);
    request.writeUInt16LE(TAP_WITHOUT_HEADER, 16);
    check("TUNSETIFF", () => libc.ioctl(this.fd, TUNSETIFF, request));
  }

  /** Sends a frame. Throws (`EBADFD`) when the device has gone. */
  send(): void {
    writeSync(this.fd, Buffer.alloc(60, 0xff));
  }

  close(): void {
    closeSync(this.fd);
  }
}
