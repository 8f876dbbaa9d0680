import { InvalidInputError } from "#core/errors.js";
import type { NextHop, Route } from "../types.js";
import { AttributeTable, type Codec, writeAttribute } from "./attributes.js";
import { align, type Reader, requireHeader, type Writer } from "./buffer.js";
import * as k from "./constants.js";
import { formatIp } from "./ip.js";
import { addressBytes, anyAddress, familyOf, parsePrefix } from "./prefix.js";
import { present } from "./present.js";
import { ip, u32 } from "./scalars.js";

/** struct rtmsg: u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags. */
export const routeHeaderBytes = 12;
/** struct rtnexthop: u16 length, u8 flags, u8 hops (weight - 1), s32 link index. */
const nextHopBytes = 8;

/** struct rtvia: a gateway of another family than the destination's. */
const via: Codec<string> = {
  write(writer, value) {
    const at = writer.reserve(2);
    writer.view.setUint16(at, familyOf(value, "gateway"), true);
    ip.write(writer, value);
  },
  read: (reader, offset, length) =>
    length === 6 || length === 18 ? formatIp(reader.bytes, offset + 2, length - 2) : undefined,
};

const gatewaySpec = { gateway: [5, ip], via: [18, via] } as const;
const nextHopTable = new AttributeTable("next hop", gatewaySpec);

/** A gateway of the family that the destination has goes to RTA_GATEWAY, any other to RTA_VIA. */
function gatewayValues(gateway: string | undefined, family: number): Gateway {
  const other = gateway !== undefined && familyOf(gateway, "gateway") !== family;
  return other ? { gateway: undefined, via: gateway } : { gateway, via: undefined };
}

interface Gateway {
  readonly gateway: string | undefined;
  readonly via: string | undefined;
}

interface FamilyNextHops {
  readonly family: number;
  readonly hops: readonly NextHop[];
}

const multipath: Codec<FamilyNextHops> = {
  write(writer, { family, hops }) {
    for (const hop of hops) {
      const weight = hop.weight ?? 1;
      if (!Number.isInteger(weight) || weight < 1 || weight > 256) {
        throw new InvalidInputError("INVALID_VALUE", `weight: expected 1 to 256, got ${weight}`, { field: "weight" });
      }
      const start = writer.reserve(nextHopBytes);
      nextHopTable.encode(writer, gatewayValues(hop.gateway, family));
      writer.view.setUint16(start, writer.length - start, true);
      writer.view.setUint8(start + 2, hop.onLink ? k.RTNH_F_ONLINK : 0);
      writer.view.setUint8(start + 3, weight - 1);
      writer.view.setInt32(start + 4, hop.linkIndex ?? 0, true);
    }
  },
  read(reader, from, length) {
    const hops: NextHop[] = [];
    const { view } = reader;
    for (let at = from; at + nextHopBytes <= from + length; ) {
      const size = view.getUint16(at, true);
      if (size < nextHopBytes || at + size > from + length) break;
      const { gateway, via: other } = nextHopTable.decode(reader, at + nextHopBytes, at + size);
      const linkIndex = view.getInt32(at + 4, true);
      hops.push({
        weight: view.getUint8(at + 3) + 1,
        ...(linkIndex === 0 ? {} : { linkIndex }),
        ...present("gateway", gateway ?? other),
        ...((view.getUint8(at + 2) & k.RTNH_F_ONLINK) !== 0 ? { onLink: true } : {}),
      });
      at += (size + 3) & ~3;
    }
    return { family: k.AF_UNSPEC, hops };
  },
};

export const routeTable = new AttributeTable(
  "route",
  {
    destination: [1, ip],
    linkIndex: [4, u32],
    ...gatewaySpec,
    metric: [6, u32],
    preferredSource: [7, ip],
    nextHops: [9, multipath],
    table: [15, u32],
  },
  [12], // RTA_CACHEINFO: counters and age
);

export function writeRouteHeader(writer: Writer, family: number, table = 0, protocol = 0): void {
  const at = writer.reserve(routeHeaderBytes);
  writer.bytes[at] = family;
  writer.bytes[at + 4] = table;
  writer.bytes[at + 5] = protocol;
}

/** Types whose routes end in this host, and those that need no next hop (iproute2 derives the scope the same way). */
function defaultScope(route: Route, type: number): number {
  if (type === k.RTN_LOCAL || type === k.RTN_NAT) return k.RT_SCOPE_HOST;
  if (type === k.RTN_BROADCAST || type === k.RTN_MULTICAST || type === k.RTN_ANYCAST) return k.RT_SCOPE_LINK;
  if (type !== k.RTN_UNICAST || route.gateway !== undefined || route.nextHops) return k.RT_SCOPE_UNIVERSE;
  return k.RT_SCOPE_LINK;
}

/**
 * `removing`: what is not said matches anything (scope, type and protocol), as `ip route del` does.
 */
function encode(writer: Writer, route: Route, removing: boolean): void {
  const prefix = parsePrefix(route.destination, "destination");
  const { family } = prefix;
  const table = route.table ?? k.RT_TABLE_MAIN;
  const at = writer.reserve(routeHeaderBytes);
  const { bytes } = writer;
  const type = route.type ?? (removing ? 0 : k.RTN_UNICAST);
  bytes[at] = family;
  bytes[at + 1] = prefix.length;
  bytes[at + 4] = table < 256 ? table : 0;
  bytes[at + 5] = route.protocol ?? (removing ? 0 : k.RTPROT_STATIC);
  bytes[at + 6] = route.scope ?? (removing ? k.RT_SCOPE_NOWHERE : family === k.AF_INET ? defaultScope(route, type) : 0);
  bytes[at + 7] = type;
  const flags = (route.flags ?? 0) | (route.onLink ? k.RTNH_F_ONLINK : 0);
  writer.view.setUint32(at + 8, flags >>> 0, true);
  // A default route has no RTA_DST; the kernel leaves it out as well.
  if (prefix.length > 0) write(writer, "destination", prefix.address);
  write(writer, "linkIndex", route.linkIndex);
  const { gateway } = route;
  // RTA_GATEWAY for a gateway of the family that the destination has, RTA_VIA for any other.
  if (gateway !== undefined) write(writer, familyOf(gateway, "gateway") === family ? "gateway" : "via", gateway);
  write(writer, "metric", route.metric);
  write(writer, "preferredSource", route.preferredSource);
  if (route.nextHops !== undefined) write(writer, "nextHops", { family, hops: route.nextHops });
  if (table >= 256) write(writer, "table", table);
  if (route.unknown !== undefined) routeTable.encode(writer, {}, route.unknown);
}

type RouteSpec = typeof routeTable.spec;

/** One attribute by its row. Agents write hundreds of thousands of routes: this is twice as quick as to hand the table all of them. */
function write<K extends keyof RouteSpec>(
  writer: Writer,
  name: K,
  value: (RouteSpec[K][1] extends Codec<infer T> ? T : never) | undefined,
): void {
  if (value === undefined) return;
  const [number, codec] = routeTable.spec[name];
  writeAttribute(writer, number, codec as Codec<typeof value>, value);
}

export function encodeRoute(writer: Writer, route: Route): void {
  encode(writer, route, false);
}

export function encodeRouteRemoval(writer: Writer, route: Route): void {
  encode(writer, route, true);
}

const RTA_DST = routeTable.spec.destination[0];
const RTA_OIF = routeTable.spec.linkIndex[0];
const RTA_GATEWAY = routeTable.spec.gateway[0];
const RTA_TABLE = routeTable.spec.table[0];
const RTA_CACHEINFO = 12;

/**
 * An IPv4 route to a network, by a link and perhaps a gateway, with nothing else to it: nearly all that large hosts have. `undefined` for any
 * other, which the table decodes. Takes a fifth of the time.
 */
function decodePlain({ view, bytes }: Reader, start: number, end: number): Route | undefined {
  const flags = view.getUint32(start + 8, true);
  let destination: string | undefined;
  let table = view.getUint8(start + 4);
  let linkIndex = 0;
  let gateway: string | undefined;
  if ((flags & k.RTNH_F_ONLINK) !== 0) return undefined;
  for (let offset = start + routeHeaderBytes; offset + 4 <= end; ) {
    const length = view.getUint16(offset, true);
    const type = view.getUint16(offset + 2, true);
    if (type === RTA_CACHEINFO) {
      // One that says it is empty must not hold the loop.
      offset += align(Math.max(length, 4));
      continue;
    }
    if (length !== 8 || offset + length > end) return undefined;
    if (type === RTA_DST) destination = formatIp(bytes, offset + 4, 4);
    else if (type === RTA_OIF) linkIndex = view.getUint32(offset + 4, true);
    else if (type === RTA_GATEWAY) gateway = formatIp(bytes, offset + 4, 4);
    else if (type === RTA_TABLE) table = view.getUint32(offset + 4, true);
    else return undefined;
    offset += 8;
  }
  if (destination === undefined || linkIndex === 0) return undefined;
  const route = {
    destination: `${destination}/${bytes[start + 1]}`,
    table,
    protocol: view.getUint8(start + 5),
    scope: view.getUint8(start + 6),
    type: view.getUint8(start + 7),
    flags,
    linkIndex,
  };
  return gateway === undefined ? route : { ...route, gateway };
}

/** `undefined` for a route of another family than IP. */
export function decodeRoute(reader: Reader, start: number, end: number): Route | undefined {
  requireHeader("route", start, end, routeHeaderBytes);
  const { view, bytes } = reader;
  const family = view.getUint8(start);
  if (addressBytes(family) === 0) return undefined;
  const plain = family === k.AF_INET ? decodePlain(reader, start, end) : undefined;
  if (plain !== undefined) return plain;
  const unknown = new Map<number, Uint8Array>();
  const values = routeTable.decode(reader, start + routeHeaderBytes, end, unknown);
  const flags = view.getUint32(start + 8, true);
  const gateway = values.gateway ?? values.via;
  const route: { -readonly [K in keyof Route]: Route[K] } = {
    destination: `${values.destination ?? anyAddress(family)}/${bytes[start + 1]}`,
    table: values.table ?? view.getUint8(start + 4),
    protocol: view.getUint8(start + 5),
    scope: view.getUint8(start + 6),
    type: view.getUint8(start + 7),
    flags,
  };
  if (values.linkIndex !== undefined) route.linkIndex = values.linkIndex;
  if (gateway !== undefined) route.gateway = gateway;
  if (values.preferredSource !== undefined) route.preferredSource = values.preferredSource;
  if (values.metric !== undefined) route.metric = values.metric;
  if (values.nextHops) route.nextHops = values.nextHops.hops;
  if ((flags & k.RTNH_F_ONLINK) !== 0) route.onLink = true;
  if (unknown.size > 0) route.unknown = unknown;
  return route;
}
