import type { GeneveLink } from "#proto/index.js";
import { checkAddress, checkRange, type Problems } from "../checks.js";
import { address, boolean, number, presence } from "../options.js";
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
    udp_checksum: boolean("udpChecksum", { fixed: true, ours: true }),
    collect_metadata: presence("collectMetadata"),
  },

  validate: (part) => [
    ...checkRange("geneve.vni", part.vni, 0, 0xffffff),
    ...checkRemote(part),
    ...checkRange("geneve.port", part.port, 0, 0xffff),
    ...checkRange("geneve.ttl", part.ttl, 0, 255),
    ...checkRange("geneve.tos", part.tos, 0, 255),
  ],

  recreates: ({ remote: before = "" }, { remote: after = "" }) => before.includes(":") !== after.includes(":"),
});

function checkRemote({ remote, vni, collect_metadata: metadata }: GeneveLink): Problems {
  const field = "geneve.remote";
  if (!metadata && !remote) return [{ field, problem: "is missing, expected the address of the other end" }];
  if (!metadata) return checkAddress(field, remote);
  if (!remote && !vni) return [];
  return [{ field: "geneve.collect_metadata", problem: "is set, so that remote and vni come with each packet" }];
}
