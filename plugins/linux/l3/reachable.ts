import type { Dependency, Scheduler } from "#core/scheduler/api/scheduler.js";
import {
  canonicalAddress,
  canonicalNetwork,
  type Interface,
  interfaceAddressPrefix,
  interfaceKey,
  interfaceStateKey,
  linkLocalRoutePrefix,
  parseHostNameKey,
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

/** 127.0.0.0/8 is local on every host. */
const IPV4_LOOPBACK = /^127\./;

/**
 * The kernel takes a preferred source only while it is an address of the host, whichever interface has it. In the agent's own namespace every
 * address is known, whoever set it. In others it is known of ours alone, so that there the kernel decides.
 */
export function sourceDependencies(
  source: string,
  outgoingInterface: string,
  scheduler: Pick<Scheduler, "desired">,
): readonly Dependency[] {
  const address = canonicalAddress(source) ?? source;
  if (IPV4_LOOPBACK.test(address)) return [];
  const isUp = interfaceStateKey(outgoingInterface, true);
  return [
    {
      label: `preferred source ${source} to be an address of the host`,
      anyOf: {
        prefixes: [ADDRESSES_PREFIX],
        matches: (key) => {
          if (key !== isUp) return addressIn(key) === address;
          const own: Interface | undefined = scheduler.desired(interfaceKey(outgoingInterface));
          return (own?.namespace?.type ?? "UNDEFINED") !== "UNDEFINED";
        },
      },
    },
  ];
}

/** What the keys of addresses, of ours and of all of the host, begin with; and those of the states of interfaces. */
const ADDRESSES_PREFIX = "linux/interface/";

/** The address in a key, without prefix length. */
function addressIn(key: string): string | undefined {
  if (!key.includes("/address/")) return undefined;
  const address = parseHostNameKey(key)?.address ?? parseInterfaceAddressKey(key)?.address;
  return address?.slice(0, address.indexOf("/"));
}

/** Is the address in the network? Host bits of the network do not matter. */
function contains(network: string, address: string): boolean {
  if (network.includes(":") !== address.includes(":")) return false;
  const length = network.slice(network.indexOf("/"));
  return canonicalNetwork(address + length) === canonicalNetwork(network);
}
