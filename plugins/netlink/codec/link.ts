import { InvalidInputError } from "#core/errors.js";
import type { Link, LinkRequest, LinkStatistics, OperState } from "../types.js";
import { AttributeTable, type Codec, list, nested, raw, type TableValues, writeAttribute } from "./attributes.js";
import { Reader, requireHeader, type Writer } from "./buffer.js";
import { AF_UNSPEC, IFF_UP } from "./constants.js";
import { linkKinds, slaveKinds } from "./link-kinds.js";
import { linkAddress, s32, string, u8, u32 } from "./scalars.js";

/** struct ifinfomsg: u8 family, pad, u16 hardware type, s32 index, u32 flags, u32 changed flags. */
export const linkHeaderBytes = 16;
const IFLA_LINKINFO = 18;
const VETH_INFO_PEER = 1;
const IFLA_ALT_IFNAME = 53;

const statistics: Codec<LinkStatistics> = {
  write() {
    throw new InvalidInputError("INVALID_VALUE", "statistics of a link can only be read");
  },
  // struct rtnl_link_stats64 starts with these eight counters; what follows grows with the kernel.
  read({ view }, at, length) {
    if (length < 64) return undefined;
    return {
      rxPackets: view.getBigUint64(at, true),
      txPackets: view.getBigUint64(at + 8, true),
      rxBytes: view.getBigUint64(at + 16, true),
      txBytes: view.getBigUint64(at + 24, true),
      rxErrors: view.getBigUint64(at + 32, true),
      txErrors: view.getBigUint64(at + 40, true),
      rxDropped: view.getBigUint64(at + 48, true),
      txDropped: view.getBigUint64(at + 56, true),
    };
  },
};

/** IFLA_LINKINFO. Kind and data depend on each other, so data is bytes here and has its table in `linkKinds`. */
export const linkInfoTable = new AttributeTable(
  "link info",
  {
    kind: [1, string],
    data: [2, { ...raw, nested: true }],
    slaveKind: [4, string],
    slaveData: [5, { ...raw, nested: true }],
  },
  [3],
);

const ignoredAttributes = [
  2, // IFLA_BROADCAST
  7, // IFLA_STATS, the 32-bit form of IFLA_STATS64
  14, // IFLA_MAP
  26, // IFLA_AF_SPEC, state of the protocols
];

export const linkTable = new AttributeTable(
  "link",
  {
    address: [1, linkAddress],
    name: [3, string],
    mtu: [4, u32],
    link: [5, s32],
    master: [10, u32],
    txQueueLength: [13, u32],
    operState: [16, u8],
    info: [IFLA_LINKINFO, nested(linkInfoTable)],
    alias: [20, string],
    statistics: [23, statistics],
    group: [27, u32],
    namespaceFd: [28, u32],
    extensionMask: [29, u32],
    carrier: [33, u8],
    carrierChanges: [35, u32],
    linkNamespaceId: [37, s32],
    altNames: [52, list(string, IFLA_ALT_IFNAME)],
    altName: [IFLA_ALT_IFNAME, string],
    permanentAddress: [54, linkAddress],
  },
  ignoredAttributes,
);

type LinkAttributes = TableValues<typeof linkTable>;
type MutableLink = { -readonly [K in keyof Link]: Link[K] };

const operStates: readonly OperState[] = [
  "unknown",
  "notpresent",
  "down",
  "lowerlayerdown",
  "testing",
  "dormant",
  "up",
];

export function writeLinkHeader(writer: Writer, index: number, flags = 0, change = 0): void {
  const at = writer.reserve(linkHeaderBytes);
  writer.view.setInt32(at + 4, index, true);
  writer.view.setUint32(at + 8, flags, true);
  writer.view.setUint32(at + 12, change, true);
}

/** A request to make or change a link. */
export function encodeLink(writer: Writer, link: LinkRequest): void {
  const change = link.up === undefined ? 0 : IFF_UP;
  writeLinkHeader(writer, link.index ?? 0, link.up ? IFF_UP : 0, change);
  const attributes: LinkAttributes = {
    name: link.name,
    mtu: link.mtu,
    address: link.address,
    link: link.link,
    master: link.master,
    alias: link.alias,
    group: link.group,
    txQueueLength: link.txQueueLength,
    namespaceFd: link.namespace?.fd,
  };
  linkTable.encode(writer, attributes, link.unknown);
  if (link.kind !== undefined || link.slaveKind !== undefined) writeAttribute(writer, IFLA_LINKINFO, linkInfo, link);
}

const linkInfo: Codec<LinkRequest> = {
  nested: true,
  write(writer, { kind, data, peer, slaveKind, slaveData }) {
    if (kind !== undefined) writeAttribute(writer, 1, string, kind);
    if (kind === "veth" && peer) writeAttribute(writer, 2, vethData, peer);
    if (kind !== undefined && data) writeData(writer, 2, linkKinds, kind, data);
    if (slaveKind === undefined) return;
    writeAttribute(writer, 4, string, slaveKind);
    if (slaveData) writeData(writer, 5, slaveKinds, slaveKind, slaveData);
  },
  read: noRead,
};

/** IFLA_INFO_DATA or IFLA_INFO_SLAVE_DATA. */
function writeData(
  writer: Writer,
  number: number,
  tables: typeof linkKinds,
  kind: string,
  data: Readonly<Record<string, unknown>>,
): void {
  if (Object.keys(data).length === 0) return;
  const table = tables.get(kind);
  if (!table) {
    throw new InvalidInputError("INVALID_VALUE", `kind "${kind}" has no attributes in this client`, { field: "data" });
  }
  const codec: Codec<typeof data> = {
    nested: true,
    write: (into, values) => table.encodeChecked(into, values),
    read: noRead,
  };
  writeAttribute(writer, number, codec, data);
}

const vethData: Codec<LinkRequest> = {
  nested: true,
  write: (writer, peer) => writeAttribute(writer, VETH_INFO_PEER, { write: encodeLink, read: noRead }, peer),
  read: noRead,
};

function noRead(): undefined {
  return undefined;
}

/**
 * The payload of RTM_NEWLINK or RTM_DELLINK, or `undefined` for what is not a link (bridge ports report under
 * AF_BRIDGE).
 */
export function decodeLink(reader: Reader, start: number, end: number): Link | undefined {
  requireHeader("link", start, end, linkHeaderBytes);
  if (reader.view.getUint8(start) !== AF_UNSPEC) return undefined;
  const unknown = new Map<number, Uint8Array>();
  const values = linkTable.decode(reader, start + linkHeaderBytes, end, unknown);
  const flags = reader.view.getUint32(start + 8, true);
  const link: MutableLink = {
    index: reader.view.getInt32(start + 4, true),
    name: values.name ?? "",
    hardwareType: reader.view.getUint16(start + 2, true),
    flags,
    up: (flags & IFF_UP) !== 0,
    mtu: values.mtu ?? 0,
    address: values.address ?? "",
    operState: operStates[values.operState ?? 0] ?? "unknown",
    carrier: values.carrier === 1,
    carrierChanges: values.carrierChanges ?? 0,
    group: values.group ?? 0,
    altNames: values.altNames ?? [],
    txQueueLength: values.txQueueLength ?? 0,
    unknown,
  };
  if (values.info) addKind(link, values.info);
  if (values.permanentAddress !== undefined) link.permanentAddress = values.permanentAddress;
  if (values.master !== undefined) link.master = values.master;
  if (values.link !== undefined) link.link = values.link;
  if (values.linkNamespaceId !== undefined) link.linkNamespaceId = values.linkNamespaceId;
  if (values.alias !== undefined) link.alias = values.alias;
  if (values.statistics) link.statistics = values.statistics;
  return link;
}

function addKind(link: MutableLink, { kind, data, slaveKind, slaveData }: TableValues<typeof linkInfoTable>): void {
  if (kind !== undefined) {
    link.kind = kind;
    const values = decodeData(data, kind, linkKinds);
    if (values) link.data = values;
  }
  if (slaveKind !== undefined) {
    link.slaveKind = slaveKind;
    const values = decodeData(slaveData, slaveKind, slaveKinds);
    if (values) link.slaveData = values;
  }
}

function decodeData(
  bytes: Uint8Array | undefined,
  kind: string,
  tables: typeof linkKinds,
): Readonly<Record<string, unknown>> | undefined {
  const table = tables.get(kind);
  return bytes && table ? table.decode(new Reader(bytes), 0, bytes.length) : undefined;
}
