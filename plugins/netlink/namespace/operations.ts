import { addressTable, encodeAddress, writeAddressHeader } from "../codec/address.js";
import { type AttributeSpec, type AttributeTable, writeAttribute } from "../codec/attributes.js";
import { encodeBridgeVlanDump, encodeBridgeVlans } from "../codec/bridge-vlan.js";
import type { Writer } from "../codec/buffer.js";
import * as k from "../codec/constants.js";
import { encodeForwarding, encodeForwardingDump, encodeForwardingQuery, forwardingTable } from "../codec/forwarding.js";
import { encodeLink, linkHeaderBytes, linkTable, writeLinkHeader } from "../codec/link.js";
import { encodeLinkProtocols } from "../codec/link-protocols.js";
import { encodeNamespaceIdQuery } from "../codec/namespace-id.js";
import { encodeNeighbour, neighbourTable, writeNeighbourHeader } from "../codec/neighbour.js";
import { encodeRoute, encodeRouteRemoval, routeTable, writeRouteHeader } from "../codec/route.js";
import { encodeRule, ruleTable, writeRuleHeader } from "../codec/rule.js";
import { string } from "../codec/scalars.js";
import type {
  Address,
  Forwarding,
  ForwardingFilter,
  ForwardingQuery,
  LinkProtocolsRequest,
  LinkRequest,
  Neighbour,
  PortVlansRequest,
  Route,
  Rule,
} from "../types.js";

/** One kind of request: its message type and flags, how to write it and how to name its object in an error. */
export interface RequestKind<T> {
  readonly type: number;
  readonly flags: number;
  encode(writer: Writer, value: T): void;
  /** `add link red`. */
  describe(value: T): string;
  /** Names the attribute that the kernel objects to. */
  readonly attributes?: { readonly headerBytes: number; readonly table: AttributeTable<AttributeSpec> };
}

const add = k.NLM_F_CREATE | k.NLM_F_EXCL;
const replace = k.NLM_F_CREATE | k.NLM_F_REPLACE;
const linkAttributes = { headerBytes: linkHeaderBytes, table: linkTable };
const addressAttributes = { headerBytes: 8, table: addressTable };
const routeAttributes = { headerBytes: 12, table: routeTable };
const neighbourAttributes = { headerBytes: 12, table: neighbourTable };
const forwardingAttributes = { headerBytes: 12, table: forwardingTable };
const ruleAttributes = { headerBytes: 12, table: ruleTable };

function nameLink(link: LinkRequest): string {
  return link.name ?? `with index ${link.index ?? 0}`;
}

export const linkAdd: RequestKind<LinkRequest> = {
  type: k.RTM_NEWLINK,
  flags: add,
  encode: encodeLink,
  describe: (link) => `add link ${nameLink(link)}`,
  attributes: linkAttributes,
};

export const linkSet: RequestKind<LinkRequest> = {
  // RTM_SETLINK would leave out the kind's own attributes (rtnetlink.c).
  type: k.RTM_NEWLINK,
  flags: 0,
  encode: encodeLink,
  describe: (link) => `change link ${nameLink(link)}`,
  attributes: linkAttributes,
};

export const linkDel: RequestKind<number> = {
  type: k.RTM_DELLINK,
  flags: 0,
  encode: (writer, index) => writeLinkHeader(writer, index),
  describe: (index) => `delete link with index ${index}`,
};

export const linkProtocolsSet: RequestKind<LinkProtocolsRequest> = {
  type: k.RTM_NEWLINK,
  flags: 0,
  encode: encodeLinkProtocols,
  describe: ({ linkIndex }) => `change settings of link with index ${linkIndex}`,
  attributes: linkAttributes,
};

export interface AltName {
  readonly index: number;
  readonly name: string;
}

function encodeAltName(writer: Writer, { index, name }: AltName): void {
  writeLinkHeader(writer, index);
  linkTable.encode(writer, { altNames: [name] });
}

export const altNameAdd: RequestKind<AltName> = {
  type: k.RTM_NEWLINKPROP,
  flags: add | k.NLM_F_APPEND,
  encode: encodeAltName,
  describe: ({ index, name }) => `add alternative name ${name} to link with index ${index}`,
  attributes: linkAttributes,
};

export const altNameDel: RequestKind<AltName> = {
  type: k.RTM_DELLINKPROP,
  flags: 0,
  encode: encodeAltName,
  describe: ({ index, name }) => `delete alternative name ${name} of link with index ${index}`,
  attributes: linkAttributes,
};

const longestName = 15; // IFNAMSIZ - 1

export const linkGetByName: RequestKind<string> = {
  type: k.RTM_GETLINK,
  flags: 0,
  encode(writer, name) {
    writeLinkHeader(writer, 0);
    linkTable.encode(writer, name.length > longestName ? { altName: name } : { name });
  },
  describe: (name) => `get link ${name}`,
};

export const linkGetByIndex: RequestKind<number> = {
  type: k.RTM_GETLINK,
  flags: 0,
  encode: (writer, index) => writeLinkHeader(writer, index),
  describe: (index) => `get link with index ${index}`,
};

export interface LinkFilter {
  readonly kind?: string;
  readonly master?: number;
}

export const linkDump: RequestKind<LinkFilter> = {
  type: k.RTM_GETLINK,
  flags: k.NLM_F_DUMP,
  encode(writer, { kind, master }) {
    writeLinkHeader(writer, 0);
    linkTable.encode(writer, { master });
    if (kind !== undefined) {
      writeAttribute(
        writer,
        18,
        { nested: true, write: () => writeAttribute(writer, 1, string, kind), read: () => undefined },
        kind,
      );
    }
  },
  describe: () => "list links",
};

export const bridgeVlanAdd: RequestKind<PortVlansRequest> = {
  type: k.RTM_SETLINK,
  flags: 0,
  encode: encodeBridgeVlans,
  describe: ({ linkIndex, vlans }) => `add VLANs ${textOf(vlans)} to port with index ${linkIndex}`,
};

export const bridgeVlanDel: RequestKind<PortVlansRequest> = {
  type: k.RTM_DELLINK,
  flags: 0,
  encode: encodeBridgeVlans,
  describe: ({ linkIndex, vlans }) => `remove VLANs ${textOf(vlans)} from port with index ${linkIndex}`,
};

export const bridgeVlanDump: RequestKind<undefined> = {
  type: k.RTM_GETLINK,
  flags: k.NLM_F_DUMP,
  encode: (writer) => encodeBridgeVlanDump(writer),
  describe: () => "list VLANs of bridge ports",
};

function textOf(vlans: PortVlansRequest["vlans"]): string {
  return vlans.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(",");
}

function addressOperation(type: number, flags: number, verb: string): RequestKind<Address> {
  return {
    type,
    flags,
    encode: encodeAddress,
    describe: (address) => `${verb} address ${address.address} of link with index ${address.linkIndex}`,
    attributes: addressAttributes,
  };
}

export const addrAdd = addressOperation(k.RTM_NEWADDR, add, "add");
export const addrReplace = addressOperation(k.RTM_NEWADDR, replace, "replace");
export const addrDel = addressOperation(k.RTM_DELADDR, 0, "delete");

export const addrDump: RequestKind<{ readonly family: number; readonly linkIndex: number }> = {
  type: k.RTM_GETADDR,
  flags: k.NLM_F_DUMP,
  encode: (writer, { family, linkIndex }) => writeAddressHeader(writer, family, linkIndex),
  describe: () => "list addresses",
};

function routeOperation(
  type: number,
  flags: number,
  verb: string,
  encode: RequestKind<Route>["encode"],
): RequestKind<Route> {
  return {
    type,
    flags,
    encode,
    describe: (route) => `${verb} route ${route.destination}`,
    attributes: routeAttributes,
  };
}

export const routeAdd = routeOperation(k.RTM_NEWROUTE, add, "add", encodeRoute);
export const routeAppend = routeOperation(k.RTM_NEWROUTE, k.NLM_F_CREATE | k.NLM_F_APPEND, "append", encodeRoute);
export const routeReplace = routeOperation(k.RTM_NEWROUTE, replace, "replace", encodeRoute);
export const routeDel = routeOperation(k.RTM_DELROUTE, 0, "delete", encodeRouteRemoval);

export interface RouteFilter {
  readonly family: number;
  readonly table?: number | undefined;
  readonly linkIndex?: number | undefined;
  readonly protocol?: number | undefined;
}

export const routeDump: RequestKind<RouteFilter> = {
  type: k.RTM_GETROUTE,
  flags: k.NLM_F_DUMP,
  encode(writer, { family, table, linkIndex, protocol }) {
    const headerTable = table !== undefined && table < 256 ? table : 0;
    writeRouteHeader(writer, family, headerTable, protocol);
    routeTable.encode(writer, { linkIndex, table: table === headerTable ? undefined : table });
  },
  describe: () => "list routes",
};

function neighbourOperation(type: number, flags: number, verb: string): RequestKind<Neighbour> {
  return {
    type,
    flags,
    encode: encodeNeighbour,
    describe: (neighbour) => `${verb} neighbour ${neighbour.address} of link with index ${neighbour.linkIndex}`,
    attributes: neighbourAttributes,
  };
}

export const neighAdd = neighbourOperation(k.RTM_NEWNEIGH, add, "add");
export const neighSet = neighbourOperation(k.RTM_NEWNEIGH, replace, "set");
export const neighDel = neighbourOperation(k.RTM_DELNEIGH, 0, "delete");

/** NTF_PROXY of linux/neighbour.h. */
const PROXY = 0x08;

export const neighDump: RequestKind<{ readonly linkIndex?: number; readonly proxy?: boolean }> = {
  type: k.RTM_GETNEIGH,
  flags: k.NLM_F_DUMP,
  encode(writer, { linkIndex, proxy = false }) {
    writeNeighbourHeader(writer, k.AF_UNSPEC, 0, 0, proxy ? PROXY : 0);
    neighbourTable.encode(writer, { linkIndex });
  },
  describe: () => "list neighbours",
};

function forwardingOperation(type: number, flags: number, verb: string): RequestKind<Forwarding> {
  return {
    type,
    flags,
    encode: encodeForwarding,
    describe: ({ linkAddress, linkIndex, destination }) =>
      `${verb} forwarding entry ${linkAddress}${destination === undefined ? "" : ` to ${destination}`} of link with index ${linkIndex}`,
    attributes: forwardingAttributes,
  };
}

export const forwardingAdd = forwardingOperation(k.RTM_NEWNEIGH, add, "add");
export const forwardingSet = forwardingOperation(k.RTM_NEWNEIGH, replace, "set");
export const forwardingAppend = forwardingOperation(k.RTM_NEWNEIGH, k.NLM_F_CREATE | k.NLM_F_APPEND, "append");
export const forwardingDel = forwardingOperation(k.RTM_DELNEIGH, 0, "delete");

export const forwardingDump: RequestKind<ForwardingFilter> = {
  type: k.RTM_GETNEIGH,
  flags: k.NLM_F_DUMP,
  encode: encodeForwardingDump,
  describe: () => "list forwarding entries",
};

export const forwardingGet: RequestKind<ForwardingQuery> = {
  type: k.RTM_GETNEIGH,
  flags: 0,
  encode: encodeForwardingQuery,
  describe: ({ linkAddress, master }) => `get forwarding entry ${linkAddress} of bridge with index ${master}`,
};

function ruleOperation(type: number, flags: number, verb: string): RequestKind<Rule> {
  return {
    type,
    flags,
    encode: encodeRule,
    describe: (rule) => `${verb} ${rule.family} rule ${rule.priority}`,
    attributes: ruleAttributes,
  };
}

export const ruleAdd = ruleOperation(k.RTM_NEWRULE, add, "add");
export const ruleDel = ruleOperation(k.RTM_DELRULE, 0, "delete");

export const ruleDump: RequestKind<number> = {
  type: k.RTM_GETRULE,
  flags: k.NLM_F_DUMP,
  encode: (writer, family) => void writeRuleHeader(writer, family),
  describe: () => "list rules",
};

export const namespaceIdGet: RequestKind<number> = {
  type: k.RTM_GETNSID,
  flags: 0,
  encode: encodeNamespaceIdQuery,
  describe: () => "get the id of a network namespace",
};
