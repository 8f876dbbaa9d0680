import {
  ARP_PREFIX,
  type ARPEntry,
  FORWARDING_PREFIX,
  type ForwardingEntry,
  INTERFACE_PREFIX,
  type Interface,
  interfaceKey,
  ROUTE_PREFIX,
  type Route,
  RULE_PREFIX,
  type Rule,
} from "#proto/index.js";

/** What ownership is told from. */
export interface OwnershipView {
  /** The desired value of a key. */
  desired(key: string): object | undefined;
  /** Is the interface with this host name registered? */
  isRegistered(hostName: string): boolean;
}

/**
 * Tells to which registered interface a value belongs, by host name:
 *
 * - an interface of type EXISTING in the agent's own namespace to the registered interface that it configures;
 * - an interface on top of such a one (VLAN, MACVLAN, IPVLAN, a tunnel bound to it) to the same, through any number of layers;
 * - routes, neighbour and forwarding entries and rules to that of the first interface they name that belongs to one.
 *
 * `undefined`: to none, and it goes straight to the scheduler.
 */
export function ownerOf(view: OwnershipView, key: string, value: object): string | undefined {
  if (key.startsWith(INTERFACE_PREFIX)) return ownerOfInterface(view, value, new Set());
  for (const name of interfacesNamedBy(key, value)) {
    const owner = ownerOfName(view, name, new Set());
    if (owner !== undefined) return owner;
  }
  return undefined;
}

function interfacesNamedBy(key: string, value: object): readonly (string | undefined)[] {
  if (key.startsWith(ROUTE_PREFIX)) {
    const { outgoing_interface, next_hops = [] } = value as Route;
    return [outgoing_interface, ...next_hops.map((hop) => hop.outgoing_interface)];
  }
  if (key.startsWith(ARP_PREFIX)) return [(value as ARPEntry).interface];
  if (key.startsWith(FORWARDING_PREFIX)) return [(value as ForwardingEntry).interface];
  if (key.startsWith(RULE_PREFIX)) return [(value as Rule).in_interface, (value as Rule).out_interface];
  return [];
}

/** `above`: names that were followed on the way down, since a wrong configuration may go round in circles. */
function ownerOfName(view: OwnershipView, name: string | undefined, above: Set<string>): string | undefined {
  if (!name || above.has(name)) return undefined;
  const value = view.desired(interfaceKey(name));
  return value === undefined ? undefined : ownerOfInterface(view, value, above.add(name));
}

function ownerOfInterface(view: OwnershipView, value: Interface, above: Set<string>): string | undefined {
  if (value.type !== "EXISTING") return ownerOfName(view, lowerInterface(value), above);
  const hostName = value.host_if_name || value.name;
  if (!hostName || !isOwnNamespace(value)) return undefined;
  return view.isRegistered(hostName) ? hostName : undefined;
}

function isOwnNamespace({ namespace }: Interface): boolean {
  return (namespace?.type ?? "UNDEFINED") === "UNDEFINED";
}

/** Logical name of the interface that another one stands on. */
function lowerInterface({ vlan, macvlan, ipvlan, vxlan, gre }: Interface): string | undefined {
  return (
    vlan?.lower_interface ||
    macvlan?.lower_interface ||
    ipvlan?.lower_interface ||
    vxlan?.underlay_interface ||
    gre?.underlay_interface
  );
}
