import { SouthboundError } from "#core/errors.js";
import type { Dependency } from "#core/scheduler/api/scheduler.js";
import type { Link } from "#plugins/netlink/index.js";
import {
  canonicalInterfaceAddress,
  hostNameAddressKey,
  hostPresentKey,
  type Interface,
  namespaceHostNameKey,
  namespaceHostPresentKey,
} from "#proto/index.js";
import { namespaceText } from "../../namespaces/index.js";
import { hostNameOf } from "../host-name.js";
import type { LinkContext, LinkType } from "../link-type.js";

/**
 * A link that somebody else makes: hardware, or another program's. It is configured, never made or removed. Its addresses are
 * the agent's business or, with `link_only`, somebody else's: then those that the value lists are waited for.
 */
export const existing: LinkType = {
  type: "EXISTING",
  foreign: true,
  dependencies: (value, isWatched) => foreignLink(value, hostNameOf(value, existing), isWatched),
  create: (value, context) => findForeignLink(value, hostNameOf(value, existing), context),
  recreates: (oldValue, newValue) => hostNameOf(oldValue, existing) !== hostNameOf(newValue, existing),
};

/**
 * What waits for a link of somebody else waits for: that it exists, since it may be this value that sets it up. The agent
 * learns of links in its own namespace and in named ones that are watched (the interface watcher's keys): in any other the
 * link must be there, or the creation fails and is tried again.
 */
export function foreignLink(
  { namespace, link_only, ip_addresses = [] }: Interface,
  hostName: string,
  isWatched: (name: string) => boolean,
): readonly Dependency[] {
  const { type = "UNDEFINED", reference = "" } = namespace ?? {};
  const isNamed = type === "NSID" && isWatched(reference);
  if (!isNamed && type !== "UNDEFINED") return [];
  const present = isNamed ? namespaceHostPresentKey(reference, hostName) : hostPresentKey(hostName);
  const place = isNamed ? namespaceText(namespace) : "the host";
  const addresses = link_only ? ip_addresses.map((text) => canonicalInterfaceAddress(text) ?? text) : [];
  return [
    { label: `an interface ${hostName} in ${place}`, key: present },
    ...addresses.map((address) => ({
      label: `address ${address} on ${hostName}`,
      key: isNamed ? namespaceHostNameKey(reference, hostName, address) : hostNameAddressKey(hostName, address),
    })),
  ];
}

/** Throws `ENODEV` when there is none. */
export async function findForeignLink(value: Interface, hostName: string, { handle }: LinkContext): Promise<Link> {
  const link = await handle.linkByName(hostName);
  if (link !== undefined) return link;
  throw new SouthboundError("ENODEV", `there is no interface ${hostName} in ${namespaceText(value.namespace)}`, {
    field: value.host_if_name ? "host_if_name" : "name",
  });
}
