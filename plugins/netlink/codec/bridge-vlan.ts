import type { BridgeMember, BridgeVlan, PortVlans, PortVlansRequest } from "../types.js";
import { AttributeTable, type Codec, list, nested, writeAttribute } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { AF_BRIDGE } from "./constants.js";
import { linkHeaderBytes, writeLinkHeader } from "./link.js";
import { bridgePort } from "./link-kinds.js";
import { u16, u32 } from "./scalars.js";

/** BRIDGE_VLAN_INFO_* of linux/if_bridge.h. */
const PVID = 1 << 1;
const UNTAGGED = 1 << 2;
const RANGE_BEGIN = 1 << 3;
const RANGE_END = 1 << 4;

/** RTEXT_FILTER_BRVLAN_COMPRESSED of linux/rtnetlink.h: VLANs, and neighbouring ones as a range. */
const WITH_VLAN_RANGES = 1 << 2;

interface VlanInfo {
  readonly flags: number;
  readonly id: number;
}

/** struct bridge_vlan_info: u16 flags, u16 id. */
const vlanInfo: Codec<VlanInfo> = {
  write(writer, { flags, id }) {
    const at = writer.reserve(4);
    writer.view.setUint16(at, flags, true);
    writer.view.setUint16(at + 2, id, true);
  },
  read({ view }, offset, length) {
    // The other attributes of a bridge's IFLA_AF_SPEC are shorter or nested.
    return length === 4 ? { flags: view.getUint16(offset, true), id: view.getUint16(offset + 2, true) } : undefined;
  },
};

const IFLA_BRIDGE_VLAN_INFO = 2;

export const bridgeVlanTable = new AttributeTable("bridge VLANs", {
  vlans: [26, list(vlanInfo, IFLA_BRIDGE_VLAN_INFO)],
  extensionMask: [29, u32],
});

/** BRIDGE_FLAGS_SELF: the VLANs of the bridge's own link, not of a port. */
const SELF = 2;
const bridgeFlags: Codec<readonly VlanInfo[]> = {
  nested: true,
  write(writer, infos) {
    writeAttribute(writer, 0, u16, SELF);
    for (const info of infos) writeAttribute(writer, IFLA_BRIDGE_VLAN_INFO, vlanInfo, info);
  },
  read: () => undefined,
};

/** The payload of RTM_SETLINK (adds) or RTM_DELLINK (removes). */
export function encodeBridgeVlans(writer: Writer, { linkIndex, vlans, self }: PortVlansRequest): void {
  writeBridgeHeader(writer, linkIndex);
  const infos = vlans.flatMap(infosOf);
  if (self) writeAttribute(writer, 26, bridgeFlags, infos);
  else bridgeVlanTable.encode(writer, { vlans: infos });
}

export function encodeBridgeVlanDump(writer: Writer): void {
  writeBridgeHeader(writer, 0);
  bridgeVlanTable.encode(writer, { extensionMask: WITH_VLAN_RANGES });
}

/** What the bridge says of itself and of its ports, in events. */
const memberTable = new AttributeTable(
  "bridge member",
  { master: [10, u32], port: [12, nested(bridgePort)], vlans: [26, list(vlanInfo, IFLA_BRIDGE_VLAN_INFO)] },
  [1, 3, 4, 5, 16, 33],
);

/** `undefined` for another message than of a bridge about itself or a port. */
export function decodeBridgeMember(reader: Reader, start: number, end: number): BridgeMember | undefined {
  requireHeader("bridge member", start, end, linkHeaderBytes);
  if (reader.view.getUint8(start) !== AF_BRIDGE) return undefined;
  const { master, port = {}, vlans = [] } = memberTable.decode(reader, start + linkHeaderBytes, end);
  const linkIndex = reader.view.getInt32(start + 4, true);
  return { linkIndex, master: master ?? linkIndex, data: port, vlans: vlansOf(vlans) };
}

/** `undefined` for what has no VLANs. */
export function decodeBridgeVlans(reader: Reader, start: number, end: number): PortVlans | undefined {
  requireHeader("bridge port", start, end, linkHeaderBytes);
  if (reader.view.getUint8(start) !== AF_BRIDGE) return undefined;
  const { vlans } = bridgeVlanTable.decode(reader, start + linkHeaderBytes, end);
  return vlans && { linkIndex: reader.view.getInt32(start + 4, true), vlans: vlansOf(vlans) };
}

function writeBridgeHeader(writer: Writer, linkIndex: number): void {
  const at = writer.length;
  writeLinkHeader(writer, linkIndex);
  writer.view.setUint8(at, AF_BRIDGE);
}

function infosOf({ first, last, pvid, untagged }: BridgeVlan): readonly VlanInfo[] {
  const flags = (pvid ? PVID : 0) | (untagged ? UNTAGGED : 0);
  if (first === last) return [{ flags, id: first }];
  return [
    { flags: flags | RANGE_BEGIN, id: first },
    { flags: flags | RANGE_END, id: last },
  ];
}

function vlansOf(infos: readonly VlanInfo[]): readonly BridgeVlan[] {
  const vlans: BridgeVlan[] = [];
  let begin: number | undefined;
  for (const { flags, id } of infos) {
    if (flags & RANGE_BEGIN) begin = id;
    else {
      vlans.push({ first: begin ?? id, last: id, pvid: (flags & PVID) !== 0, untagged: (flags & UNTAGGED) !== 0 });
      begin = undefined;
    }
  }
  return vlans;
}
