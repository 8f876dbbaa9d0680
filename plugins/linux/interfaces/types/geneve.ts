import type { GeneveLink } from "#proto/index.js";
import { checkAddress, checkRange, isMulticast, type Problems } from "../checks.js";
import { address, number, presence } from "../options.js";
import { KernelLinkType } from "./kernel-link.js";

/** GENEVE_UDP_PORT of drivers/net/geneve.c. */
const PORT = 6081;

/** Generic network virtualisation. The outer packets leave by the namespace it was made in: it does not move. */
export const geneve = new KernelLinkType({
  type: "GENEVE",
  field: "geneve",
  kinds: ["geneve"],
  options: {
    vni: number("id", { fixed: true, ours: true, zero: true, default: 0 }),
    remote: address("remote", "remote6"),
    port: number("port", { fixed: true, default: PORT }),
    ttl: number("ttl", { default: 0 }),
    tos: number("tos", { default: 0 }),
    collect_metadata: presence("collectMetadata"),
  },
  shared: {
    fixed: true,
    encode: (part) => (isOverIpv6(part) ? {} : { udpChecksum: part.udp_checksum ?? false }),
    decode: ({ udpChecksum }) => (udpChecksum === true ? { udp_checksum: true } : {}),
  },

  validate: (part) => [
    ...checkRange("geneve.vni", part.vni, 0, 0xffffff),
    ...checkRemote(part),
    ...checkRange("geneve.port", part.port, 0, 0xffff),
    ...checkRange("geneve.ttl", part.ttl, 0, 255),
    ...checkRange("geneve.tos", part.tos, 0, 255),
    ...checkMetadata(part),
  ],

  recreates: (before, after) => isOverIpv6(before) !== isOverIpv6(after),

  decodeMore: async ({ link: { data } }, _links, expected): Promise<Partial<GeneveLink>> =>
    data?.remote6 !== undefined && expected?.udp_checksum ? { udp_checksum: true } : {},
});

/** There the kernel always makes checksums, and tells of them by another attribute (drivers/net/geneve.c, geneve_nl2info). */
function isOverIpv6({ remote = "" }: GeneveLink): boolean {
  return remote.includes(":");
}

function checkRemote({ remote, collect_metadata: metadata }: GeneveLink): Problems {
  const field = "geneve.remote";
  if (metadata) return [];
  if (!remote) return [{ field, problem: "is missing, expected the address of the other end" }];
  return isMulticast(remote) ? [{ field, problem: `is ${remote}, a multicast group` }] : checkAddress(field, remote);
}

const WITH_EACH_PACKET = ["vni", "remote", "ttl", "tos", "udp_checksum"] as const;

/** drivers/net/geneve.c, geneve_configure: is_tnl_info_zero. */
function checkMetadata(part: GeneveLink): Problems {
  if (!part.collect_metadata) return [];
  return WITH_EACH_PACKET.flatMap((field): Problems => {
    if (!part[field]) return [];
    return [{ field: `geneve.${field}`, problem: "is set, but with collect_metadata it comes with each packet" }];
  });
}
