import type { Dependency } from "#core/scheduler/types.js";
import {
  canonicalAddress,
  canonicalNetwork,
  interfaceAddressPrefix,
  linkLocalRoutePrefix,
  parseInterfaceAddressKey,
  parseLinkLocalRouteKey,
} from "#proto/index.js";

/** fe80::/10, canonical. */
const IPV6_LINK_LOCAL = /^fe[89ab][0-9a-f]:/;

/**
 * The kernel accepts a gateway only when something says that it is on the link: an address of the interface whose network it
 * is in, or a route to the link. IPv6 link-local gateways are always on the link.
 *
 * @param gateway an address without prefix length.
 */
export function gatewayDependencies(gateway: string, outgoingInterface: string): readonly Dependency[] {
  const address = canonicalAddress(gateway) ?? gateway;
  if (IPV6_LINK_LOCAL.test(address)) return [];
  return [
    {
      label: `gateway ${gateway} to be reachable through interface ${outgoingInterface}`,
      anyOf: {
        prefixes: [interfaceAddressPrefix(outgoingInterface), linkLocalRoutePrefix(outgoingInterface)],
        matches: (key) => {
          const network = parseInterfaceAddressKey(key)?.address ?? parseLinkLocalRouteKey(key)?.network;
          return network !== undefined && contains(network, address);
        },
      },
    },
  ];
}

/** Is the address in the network? Host bits of the network do not matter. */
function contains(network: string, address: string): boolean {
  if (network.includes(":") !== address.includes(":")) return false;
  const length = network.slice(network.indexOf("/"));
  return canonicalNetwork(address + length) === canonicalNetwork(network);
}
