import { closeSync, openSync } from "node:fs";
import type { TapRequest } from "../types.js";
import { check, libc } from "./libc.js";

/** Requests and flags of linux/if_tun.h. Rtnetlink does not make these devices (drivers/net/tun.c, tun_validate). */
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;

/** struct ifreq: 16 bytes of name, then a union. */
const ifreqBytes = 40;
const flagsOffset = 16;

/** Makes a device in the namespace that the thread is in. It goes again when `prepare` throws. */
export function addTunDevice(tap: TapRequest, prepare: () => void): void {
  const fd = openSync("/dev/net/tun", "r+");
  try {
    const request = Buffer.alloc(ifreqBytes);
    request.write(tap.name);
    request.writeUInt16LE(flagsOf(tap), flagsOffset);
    check("TUNSETIFF", () => libc.ioctl(fd, TUNSETIFF, request));
    const { owner, group } = tap;
    if (owner !== undefined) check("TUNSETOWNER", () => libc.ioctlValue(fd, TUNSETOWNER, owner));
    if (group !== undefined) check("TUNSETGROUP", () => libc.ioctlValue(fd, TUNSETGROUP, group));
    prepare();
    check("TUNSETPERSIST", () => libc.ioctlValue(fd, TUNSETPERSIST, 1));
  } finally {
    closeSync(fd);
  }
}

function flagsOf({ mode, packetInformation, virtioHeader, multiQueue }: TapRequest): number {
  return (
    IFF_TUN_EXCL |
    (mode === "tap" ? IFF_TAP : IFF_TUN) |
    (packetInformation ? 0 : IFF_NO_PI) |
    (virtioHeader ? IFF_VNET_HDR : 0) |
    (multiQueue ? IFF_MULTI_QUEUE : 0)
  );
}
