import { AttributeTable, raw } from "../codec/attributes.js";
import { Reader } from "../codec/buffer.js";
import { AF_INET, AF_INET6, RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE } from "../codec/constants.js";
import { messagesOf } from "../codec/message.js";
import { routeHeaderBytes, writeRouteHeader } from "../codec/route.js";
import { s32 } from "../codec/scalars.js";
import type { Bundle } from "./bundle.js";
import { dumpParts } from "./dump-parts.js";
import type { Exchange } from "./exchange.js";

/** RTA_OIF. A route over several links has none. */
const placeTable = new AttributeTable("route's link", { linkIndex: [4, s32] });

/**
 * Adds to the bundle what removes every route that leads out of one of the links, the kernel's own ones among them: what it told of
 * a route says which one is meant. Returns how many messages there are in the bundle then.
 */
export function addRouteRemovals(bundle: Bundle, exchange: Exchange, links: ReadonlySet<number>): number {
  for (const family of links.size === 0 ? [] : [AF_INET, AF_INET6]) {
    for (const part of dumpParts(exchange, RTM_GETROUTE, (writer) => writeRouteHeader(writer, family))) {
      const reader = new Reader(part);
      for (const { type, start, end } of messagesOf(reader, 0, part.length)) {
        // Where the kernel lacks a family it tells of the others.
        if (type !== RTM_NEWROUTE || part[start] !== family) continue;
        const { linkIndex } = placeTable.decode(reader, start + routeHeaderBytes, end);
        if (linkIndex === undefined || !links.has(linkIndex)) continue;
        bundle.add(RTM_DELROUTE, (writer) => raw.write(writer, part.subarray(start, end)));
      }
    }
  }
  return bundle.count;
}
