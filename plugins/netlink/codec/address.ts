import type { Address } from "../types.js";
import { AttributeTable, type Codec } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { AF_INET } from "./constants.js";
import { addressBytes, parsePrefix } from "./prefix.js";
import { present } from "./present.js";
import { ip, string, u8, u32 } from "./scalars.js";

/** struct ifaddrmsg: u8 family, u8 prefix length, u8 flags, u8 scope, u32 link index. */
const headerBytes = 8;

/** struct ifa_cacheinfo: preferred and valid lifetime, s, and when it was made and changed. */
const lifetimes: Codec<{ readonly preferred: number; readonly valid: number }> = {
  write(writer, { preferred, valid }) {
    const at = writer.reserve(16);
    writer.view.setUint32(at, preferred, true);
    writer.view.setUint32(at + 4, valid, true);
    writer.view.setUint32(at + 8, 0, true);
    writer.view.setUint32(at + 12, 0, true);
  },
  read: ({ view }, offset, length) =>
    length === 16 ? { preferred: view.getUint32(offset, true), valid: view.getUint32(offset + 4, true) } : undefined,
};

/** INFINITY_LIFE_TIME of net/addrconf.h. */
const FOR_EVER = 0xffff_ffff;

export const addressTable = new AttributeTable("address", {
  address: [1, ip],
  local: [2, ip],
  label: [3, string],
  broadcast: [4, ip],
  lifetimes: [6, lifetimes],
  flags: [8, u32],
  protocol: [11, u8],
});

export function writeAddressHeader(
  writer: Writer,
  family: number,
  linkIndex: number,
  prefixLength = 0,
  scope = 0,
): void {
  const at = writer.reserve(headerBytes);
  writer.view.setUint8(at, family);
  writer.view.setUint8(at + 1, prefixLength);
  writer.view.setUint8(at + 3, scope);
  writer.view.setUint32(at + 4, linkIndex, true);
}

export function encodeAddress(writer: Writer, address: Address): void {
  const prefix = parsePrefix(address.address, "address");
  writeAddressHeader(writer, prefix.family, address.linkIndex, prefix.length, address.scope);
  // IFA_ADDRESS is the address of the other end where there is one (linux/if_addr.h).
  addressTable.encode(
    writer,
    {
      local: prefix.address,
      address: address.peer ?? prefix.address,
      label: address.label,
      broadcast: address.broadcast,
      flags: address.flags,
      lifetimes:
        address.validLifetime === undefined && address.preferredLifetime === undefined
          ? undefined
          : { valid: address.validLifetime ?? FOR_EVER, preferred: address.preferredLifetime ?? FOR_EVER },
      protocol: address.protocol,
    },
    address.unknown,
  );
}

/** `undefined` for an address of another family than IP. */
export function decodeAddress(reader: Reader, start: number, end: number): Address | undefined {
  requireHeader("address", start, end, headerBytes);
  const family = reader.view.getUint8(start);
  if (addressBytes(family) === 0) return undefined;
  const unknown = new Map<number, Uint8Array>();
  const values = addressTable.decode(reader, start + headerBytes, end, unknown);
  const local = values.local ?? values.address;
  if (local === undefined) return undefined;
  return {
    linkIndex: reader.view.getUint32(start + 4, true),
    address: `${local}/${reader.view.getUint8(start + 1)}`,
    scope: reader.view.getUint8(start + 3),
    flags: values.flags ?? reader.view.getUint8(start + 2),
    ...(values.address === local ? {} : present("peer", values.address)),
    ...present("broadcast", values.broadcast),
    ...limited("validLifetime", values.lifetimes?.valid),
    ...limited("preferredLifetime", values.lifetimes?.preferred),
    ...(family === AF_INET ? present("label", values.label) : {}),
    ...present("protocol", values.protocol),
    ...(unknown.size > 0 ? { unknown } : {}),
  };
}

function limited<N extends string>(name: N, seconds: number | undefined): { readonly [K in N]?: number } {
  return seconds === undefined || seconds === FOR_EVER ? {} : present(name, seconds);
}
