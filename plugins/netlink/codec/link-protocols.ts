import type { LinkProtocols, LinkProtocolsRequest } from "../types.js";
import { AttributeTable, type Codec, nested } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { AF_UNSPEC } from "./constants.js";
import { linkHeaderBytes, writeLinkHeader } from "./link.js";
import { ipOf, s32, u8 } from "./scalars.js";

/** IFLA_AF_SPEC: what the protocols keep of a link (net/ipv4/devinet.c, net/ipv6/addrconf.c). */

/** An array of 32-bit numbers when the kernel tells them, attributes by position when it is told. */
const settings: Codec<ReadonlyMap<number, number>> = {
  nested: true,
  write(writer, values) {
    for (const [position, value] of values) {
      const at = writer.reserve(8);
      writer.view.setUint16(at, 8, true);
      writer.view.setUint16(at + 2, position, true);
      writer.view.setInt32(at + 4, value, true);
    }
  },
  read({ view }, offset, length) {
    const values = new Map<number, number>();
    for (let at = 0; at + 4 <= length; at += 4) values.set(at / 4, view.getInt32(offset + at, true));
    return values;
  },
};

const inet = new AttributeTable("IPv4 of a link", { settings: [1, settings] });
const inet6 = new AttributeTable(
  "IPv6 of a link",
  { settings: [2, settings], token: [7, ipOf(6)], addressMode: [8, u8] },
  [1, 3, 4, 5, 6, 9],
);
const families = new AttributeTable("protocols of a link", { ipv4: [2, nested(inet)], ipv6: [10, nested(inet6)] });
const table = new AttributeTable("link", { families: [26, nested(families)] });

/** The payload of RTM_NEWLINK that changes what is said. Of IPv6 the kernel takes token and address mode only. */
export function encodeLinkProtocols(writer: Writer, { linkIndex, ipv4, ipv6 }: LinkProtocolsRequest): void {
  writeLinkHeader(writer, linkIndex);
  table.encode(writer, {
    families: { ipv4: ipv4 && { settings: ipv4 }, ipv6: ipv6 && { token: ipv6.token, addressMode: ipv6.addressMode } },
  });
}

/** struct netconfmsg is a family; NETCONFA_IFINDEX of linux/netconf.h. */
const netconf = new AttributeTable("settings", { linkIndex: [1, s32] }, [2, 3, 4, 5, 6, 7, 8]);
const netconfHeaderBytes = 4;

/** The link that RTM_NEWNETCONF is about; `undefined` for what is about all links. */
export function decodeNetconf(reader: Reader, start: number, end: number): number | undefined {
  requireHeader("settings", start, end, netconfHeaderBytes);
  const { linkIndex = 0 } = netconf.decode(reader, start + netconfHeaderBytes, end);
  return linkIndex > 0 ? linkIndex : undefined;
}

export function decodeLinkProtocols(reader: Reader, start: number, end: number): LinkProtocols | undefined {
  requireHeader("link", start, end, linkHeaderBytes);
  if (reader.view.getUint8(start) !== AF_UNSPEC) return undefined;
  const found = table.decode(reader, start + linkHeaderBytes, end).families ?? {};
  // In the array the first IPv4 setting is number 1: linux/ip.h.
  const ipv4 = new Map([...(found.ipv4?.settings ?? [])].map(([position, value]) => [position + 1, value]));
  const { settings: ipv6 = new Map<number, number>(), token, addressMode } = found.ipv6 ?? {};
  return {
    ipv4,
    ipv6,
    ...(token === undefined || token === "::" ? {} : { token }),
    ...(addressMode === undefined ? {} : { addressMode }),
  };
}
