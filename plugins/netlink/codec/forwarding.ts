import type { Forwarding, ForwardingFilter, ForwardingQuery } from "../types.js";
import { AttributeTable } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { AF_BRIDGE } from "./constants.js";
import { neighbourHeaderBytes, writeNeighbourHeader } from "./neighbour.js";
import { present } from "./present.js";
import { be16, ip, linkAddress, u16, u32 } from "./scalars.js";

/** NDA_* of linux/neighbour.h, in messages of the family AF_BRIDGE. */
export const forwardingTable = new AttributeTable(
  "forwarding entry",
  {
    destination: [1, ip],
    linkAddress: [2, linkAddress],
    vlan: [5, u16],
    port: [6, be16],
    vni: [7, u32],
    via: [8, u32],
    master: [9, u32],
    sourceVni: [11, u32],
    nexthopGroup: [13, u32],
  },
  [3], // NDA_CACHEINFO: ages
);

/** What the entry is read with, and not asked for. */
const READ_ONLY = { master: undefined, nexthopGroup: undefined } as const;

export function encodeForwarding(writer: Writer, entry: Forwarding): void {
  writeNeighbourHeader(writer, AF_BRIDGE, entry.linkIndex, entry.state, entry.flags);
  const { destination, linkAddress: address, vlan, port, vni, via, sourceVni } = entry;
  const values = { destination, linkAddress: address, vlan, port, vni, via, sourceVni, ...READ_ONLY };
  forwardingTable.encode(writer, values, entry.unknown);
}

/** Asks for the one entry of a bridge for an address. */
export function encodeForwardingQuery(writer: Writer, { master, linkAddress: address, vlan }: ForwardingQuery): void {
  writeNeighbourHeader(writer, AF_BRIDGE);
  forwardingTable.encode(writer, { linkAddress: address, vlan, master });
}

export function encodeForwardingDump(writer: Writer, { linkIndex }: ForwardingFilter): void {
  writeNeighbourHeader(writer, AF_BRIDGE, linkIndex);
}

/** `undefined` for what is no forwarding entry: a neighbour. */
export function decodeForwarding(reader: Reader, start: number, end: number): Forwarding | undefined {
  requireHeader("forwarding entry", start, end, neighbourHeaderBytes);
  const { view } = reader;
  if (view.getUint8(start) !== AF_BRIDGE) return undefined;
  const unknown = new Map<number, Uint8Array>();
  const values = forwardingTable.decode(reader, start + neighbourHeaderBytes, end, unknown);
  if (values.linkAddress === undefined) return undefined;
  return {
    linkIndex: view.getInt32(start + 4, true),
    linkAddress: values.linkAddress,
    state: view.getUint16(start + 8, true),
    flags: view.getUint8(start + 10),
    ...present("destination", values.destination),
    ...present("vlan", values.vlan),
    ...present("port", values.port),
    ...present("vni", values.vni),
    ...present("via", values.via),
    ...present("master", values.master),
    ...present("sourceVni", values.sourceVni),
    ...present("nexthopGroup", values.nexthopGroup),
    ...(unknown.size > 0 ? { unknown } : {}),
  };
}
