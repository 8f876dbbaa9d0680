import type { InvalidField } from "#core/scheduler/types.js";
import { canonicalAddress, canonicalNetwork, type Route } from "#proto/index.js";
import { validateNamespace } from "../namespaces/index.js";
import { typeOf } from "./route-kernel.js";

/** Every wrong field of a route. */
export function validateRoute(value: Route): readonly InvalidField[] {
  const destination = canonicalNetwork(value.dst_network ?? "");
  return [
    ...validateDestination(value.dst_network, destination),
    ...validateExit(value, destination),
    ...validateAddress("preferred_source", value.preferred_source, destination),
    ...(value.vrf && value.table ? [{ field: "vrf", problem: "is set together with table, and only one may be" }] : []),
  ];
}

function validateDestination(text = "", destination: string | undefined): readonly InvalidField[] {
  if (destination !== undefined) return [];
  return [{ field: "dst_network", problem: `is "${text}", expected a network such as 10.1.0.0/16 or fd00::/64` }];
}

function validateExit(value: Route, destination: string | undefined): readonly InvalidField[] {
  const type = typeOf(value);
  if (type !== "UNICAST") {
    const excess = refuse(value, ["outgoing_interface", "gw_addr", "on_link", "scope", "mtu"], `of type ${type}`);
    return [...excess, ...refuseHops(value, `of type ${type}`), ...validateNamespace(value.namespace)];
  }
  const elsewhere = refuse(value, ["namespace"], "with an interface, whose namespace counts");
  if (value.next_hops === undefined || value.next_hops.length === 0) {
    return [...elsewhere, ...validateHop("", value, destination)];
  }
  return [
    ...elsewhere,
    ...refuse(value, ["outgoing_interface", "gw_addr", "on_link"], "with next_hops"),
    ...value.next_hops.flatMap((hop, i) => [
      ...validateHop(`next_hops[${i}].`, hop, destination),
      ...((hop.weight ?? 1) <= 256
        ? []
        : [{ field: `next_hops[${i}].weight`, problem: `is ${hop.weight}, expected 1 to 256` }]),
    ]),
    ...repeatedHops(value),
  ];
}

/** The kernel takes them for one in IPv6, and for two in IPv4: a weight says the same in both. */
function repeatedHops({ next_hops: hops = [] }: Route): readonly InvalidField[] {
  const seen = new Set<string>();
  return hops.flatMap(({ outgoing_interface: name = "", gw_addr: gateway = "" }, i) => {
    const hop = `${name} ${canonicalAddress(gateway) ?? gateway}`;
    if (!seen.has(hop)) {
      seen.add(hop);
      return [];
    }
    return [{ field: `next_hops[${i}]`, problem: "is the same as one before it, expected a weight instead" }];
  });
}

function validateHop(
  path: string,
  hop: Pick<Route, "outgoing_interface" | "gw_addr" | "on_link">,
  destination: string | undefined,
): readonly InvalidField[] {
  return [
    ...(hop.outgoing_interface ? [] : [{ field: `${path}outgoing_interface`, problem: "is missing" }]),
    ...validateGateway(`${path}gw_addr`, hop.gw_addr, destination),
    ...(hop.on_link && !hop.gw_addr ? [{ field: `${path}on_link`, problem: "is set, but there is no gateway" }] : []),
  ];
}

function refuse(value: Route, fields: readonly (keyof Route)[], why: string): readonly InvalidField[] {
  return fields
    .filter((field) => value[field] !== undefined)
    .map((field) => ({ field, problem: `is set, but does not belong to a route ${why}` }));
}

function refuseHops(value: Route, why: string): readonly InvalidField[] {
  return (value.next_hops ?? []).length === 0 ? [] : refuse(value, ["next_hops"], why);
}

/** An IPv4 route may lead to an IPv6 gateway (RTA_VIA), not the other way round. */
function validateGateway(
  field: string,
  text: string | undefined,
  destination: string | undefined,
): readonly InvalidField[] {
  const isMixed = destination?.includes(":") === false && text?.includes(":") === true;
  return validateAddress(field, text, isMixed ? undefined : destination);
}

function validateAddress(
  field: string,
  text: string | undefined,
  destination: string | undefined,
): readonly InvalidField[] {
  if (!text) return [];
  const address = canonicalAddress(text);
  if (address === undefined) {
    return [{ field, problem: `is "${text}", expected an address without prefix length such as 10.0.0.1 or fd00::1` }];
  }
  if (destination === undefined || address.includes(":") === destination.includes(":")) return [];
  return [{ field, problem: `is ${text}, which is not of the same address family as ${destination}` }];
}
