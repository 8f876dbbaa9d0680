import type { InvalidField } from "#core/scheduler/api/scheduler.js";
import { canonicalAddress, canonicalNetwork, type Route } from "#proto/index.js";
import { validateNamespace } from "../namespaces/index.js";
import { typeOf } from "./route-kernel.js";

/** Every wrong field of a route. */
export function validateRoute(value: Route): readonly InvalidField[] {
  const destination = canonicalNetwork(value.dst_network ?? "");
  return [
    ...validateDestination(value.dst_network, destination),
    ...validateExit(value, destination),
    ...validateScope(value, destination),
    ...validateMtu(value),
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

/** As the kernel does, and Ligato's clients: no gateway. */
const NOBODY = "0.0.0.0";

/** net/ipv4/fib_semantics.c, fib_create_info and fib_check_nh_v4_gw. IPv6 has no scopes. */
function validateScope({ scope, gw_addr: gateway, next_hops: hops = [] }: Route, destination: string | undefined) {
  if (destination?.includes(":") !== false || (scope !== "LINK" && scope !== "HOST")) return [];
  if (scope === "HOST" && hops.length > 1)
    return [{ field: "scope", problem: "is HOST, and next_hops lead several ways" }];
  const leadsOn = [gateway, ...hops.map((hop) => hop.gw_addr)].some((each) => each && each !== NOBODY);
  return leadsOn ? [{ field: "scope", problem: `is ${scope}, but there is a gateway: leave it out` }] : [];
}

/** The kernel makes more of it this, without a word (net/ipv4/metrics.c, ip_metrics_convert). */
const MAX_MTU = 0xffff - 15;

function validateMtu({ mtu = 0 }: Route): readonly InvalidField[] {
  return mtu <= MAX_MTU ? [] : [{ field: "mtu", problem: `is ${mtu}, expected at most ${MAX_MTU}` }];
}

/** What can be no gateway: net/ipv4/fib_semantics.c, fib_check_nh_v4_gw; net/ipv6/route.c, ip6_validate_gw. */
const NO_GATEWAY = /^(?:127\..*|2(?:2[4-9]|3\d)\..*|255\.255\.255\.255|::1|ff[0-9a-f]{2}:.*)$/;

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
  const gateway = canonicalAddress(text ?? "") ?? "";
  if (NO_GATEWAY.test(gateway)) {
    return [
      { field, problem: `is ${text}, expected the address of one other host, or nothing for a network on the link` },
    ];
  }
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
