import type { GreLink } from "#proto/index.js";
import { checkAddress, checkRange, checkSameFamily, type Problems } from "../checks.js";
import type { Attributes } from "../options.js";
import { KernelLinkType } from "./kernel-link.js";

/** GRE_CSUM, GRE_KEY and GRE_SEQ of linux/if_tunnel.h, in network byte order as the attributes are. */
const CHECKSUM = 0x8000;
const KEY = 0x2000;
const SEQUENCE = 0x1000;

/** Kinds by mode, for IPv4 and IPv6 around. */
const KINDS = { TUNNEL: ["gre", "ip6gre"], TAP: ["gretap", "ip6gretap"] } as const;

/** Generic routing encapsulation. The outer packets leave by the namespace it was made in: it does not move. */
export const gre = new KernelLinkType({
  type: "GRE",
  field: "gre",
  kinds: ["gre", "gretap", "ip6gre", "ip6gretap"],
  kindOf: (part) => KINDS[part.mode ?? "TUNNEL"][isOverIpv6(part) ? 1 : 0],
  withoutMac: ({ mode }) => (mode === "TAP" ? undefined : "a GRE tunnel of IP packets has none"),
  lower: { field: "underlay_interface", attribute: "link" },
  options: {},
  shared: { encode, decode },

  validate: (part) => [
    ...checkEnd("gre.local", part.local),
    ...checkEnd("gre.remote", part.remote),
    ...checkSameFamily("gre.remote", part.remote, part.local),
    ...checkRange("gre.ttl", part.ttl, 0, 255),
    ...checkRange("gre.tos", part.tos, 0, 255),
    ...checkTtl(part),
    ...checkTos(part),
  ],

  decodeMore: async ({ link }, _links, expected): Promise<Partial<GreLink>> => ({
    ...(link.kind?.endsWith("tap") ? { mode: "TAP" } : {}),
    // Over IPv6 the kernel knows of no such choice.
    ...(link.kind?.startsWith("ip6") && expected?.path_mtu_discovery === false ? { path_mtu_discovery: false } : {}),
  }),
});

/**
 * All of it, always: the kernel takes what a change leaves out for 0 (net/ipv4/ip_gre.c, ipgre_netlink_parms). Whether a key is
 * there is told by a flag, since 0 is a key like any other.
 */
function encode(part: GreLink): Attributes {
  const { local, remote, input_key: input, output_key: output, sequence, checksum } = part;
  const common = (sequence ? SEQUENCE : 0) | (checksum ? CHECKSUM : 0);
  return {
    local,
    remote,
    ttl: part.ttl ?? 0,
    tos: part.tos ?? 0,
    ...(isOverIpv6(part) ? {} : { pathMtuDiscovery: part.path_mtu_discovery ?? true }),
    inputFlags: common | (input === undefined ? 0 : KEY),
    outputFlags: common | (output === undefined ? 0 : KEY),
    inputKey: input ?? 0,
    outputKey: output ?? 0,
  };
}

function isOverIpv6({ local = "" }: GreLink): boolean {
  return local.includes(":");
}

function decode(attributes: Attributes): Partial<GreLink> {
  const { local, remote, ttl, tos, pathMtuDiscovery, inputKey, outputKey } = attributes;
  const [input, output] = [Number(attributes.inputFlags ?? 0), Number(attributes.outputFlags ?? 0)];
  return {
    ...(ttl ? { ttl: Number(ttl) } : {}),
    ...(tos ? { tos: Number(tos) } : {}),
    ...(pathMtuDiscovery === false ? { path_mtu_discovery: false } : {}),
    ...(typeof local === "string" ? { local } : {}),
    ...(typeof remote === "string" ? { remote } : {}),
    ...(output & KEY ? { output_key: Number(outputKey) } : {}),
    ...(input & KEY ? { input_key: Number(inputKey) } : {}),
    ...(output & SEQUENCE ? { sequence: true } : {}),
    ...(output & CHECKSUM ? { checksum: true } : {}),
  };
}

function checkEnd(field: string, text: string | undefined): Problems {
  return text ? checkAddress(field, text) : [{ field, problem: "is missing, expected an address" }];
}

/** net/ipv4/ip_gre.c, ipgre_netlink_parms. */
function checkTtl(part: GreLink): Problems {
  const { ttl, path_mtu_discovery: discovers = true } = part;
  if (!ttl || discovers || isOverIpv6(part)) return [];
  return [{ field: "gre.path_mtu_discovery", problem: "is false, but a fixed ttl needs it" }];
}

/** Over IPv6 the kernel says the type of service as part of the flow label, and never back (net/ipv6/ip6_gre.c). */
function checkTos(part: GreLink): Problems {
  const { tos } = part;
  if (!tos || !isOverIpv6(part)) return [];
  return [{ field: "gre.tos", problem: `is ${tos}, but over IPv6 it is always inherited` }];
}
