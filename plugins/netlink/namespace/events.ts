import { SouthboundError } from "#core/errors.js";
import { decodeAddress } from "../codec/address.js";
import { decodeBridgeMember } from "../codec/bridge-vlan.js";
import type { Reader } from "../codec/buffer.js";
import * as k from "../codec/constants.js";
import { decodeForwarding } from "../codec/forwarding.js";
import { decodeLink } from "../codec/link.js";
import { decodeNetconf } from "../codec/link-protocols.js";
import type { Message } from "../codec/message.js";
import { decodeNeighbour } from "../codec/neighbour.js";
import { decodeRoute } from "../codec/route.js";
import { decodeRule } from "../codec/rule.js";
import type { EventGroup, NetlinkEvent } from "../types.js";

const groupNumbers: Readonly<Record<EventGroup, readonly number[]>> = {
  link: [k.RTNLGRP_LINK],
  netconf: [k.RTNLGRP_IPV4_NETCONF, k.RTNLGRP_IPV6_NETCONF],
  address: [k.RTNLGRP_IPV4_IFADDR, k.RTNLGRP_IPV6_IFADDR],
  route: [k.RTNLGRP_IPV4_ROUTE, k.RTNLGRP_IPV6_ROUTE],
  neighbour: [k.RTNLGRP_NEIGH],
  rule: [k.RTNLGRP_IPV4_RULE, k.RTNLGRP_IPV6_RULE],
};

const groupsByType: ReadonlyMap<number, EventGroup> = new Map([
  [k.RTM_NEWLINK, "link"],
  [k.RTM_DELLINK, "link"],
  [k.RTM_NEWNETCONF, "netconf"],
  [k.RTM_DELNETCONF, "netconf"],
  [k.RTM_NEWADDR, "address"],
  [k.RTM_DELADDR, "address"],
  [k.RTM_NEWROUTE, "route"],
  [k.RTM_DELROUTE, "route"],
  [k.RTM_NEWNEIGH, "neighbour"],
  [k.RTM_DELNEIGH, "neighbour"],
  [k.RTM_NEWRULE, "rule"],
  [k.RTM_DELRULE, "rule"],
]);

/** RTNLGRP_* numbers. */
export function multicastGroups(groups: Iterable<EventGroup>): readonly number[] {
  return [...groups].flatMap((group) => groupNumbers[group]);
}

export function eventGroupOf(messageType: number): EventGroup | undefined {
  return groupsByType.get(messageType);
}

/** `undefined` for a message about something that no event type stands for. */
export function decodeEvent(reader: Reader, { type, start, end }: Message): NetlinkEvent | undefined {
  const deleted = (type & 3) === 1;
  switch (eventGroupOf(type)) {
    case "link": {
      const link = decodeLink(reader, start, end);
      if (link !== undefined) return { type: "link", deleted, link };
      const member = decodeBridgeMember(reader, start, end);
      return member && { type: "bridge-member", deleted, member };
    }
    case "netconf": {
      const linkIndex = decodeNetconf(reader, start, end);
      return linkIndex === undefined ? undefined : { type: "netconf", deleted, linkIndex };
    }
    case "address": {
      const address = decodeAddress(reader, start, end);
      return address && { type: "address", deleted, address };
    }
    case "route": {
      const route = decodeRoute(reader, start, end);
      return route && { type: "route", deleted, route };
    }
    case "neighbour": {
      const neighbour = decodeNeighbour(reader, start, end);
      if (neighbour !== undefined) return { type: "neighbour", deleted, neighbour };
      const entry = decodeForwarding(reader, start, end);
      return entry && { type: "forwarding", deleted, entry };
    }
    case "rule": {
      const rule = decodeRule(reader, start, end);
      return rule && { type: "rule", deleted, rule };
    }
    case undefined:
      return undefined;
  }
}

/** What cannot be decoded has been lost: whoever listens looks for itself. */
export function eventIn(reader: Reader, message: Message): NetlinkEvent | "malformed" | undefined {
  try {
    return decodeEvent(reader, message);
  } catch (error) {
    if (error instanceof SouthboundError) return "malformed";
    throw error;
  }
}
