import type { VxlanLink } from "#proto/index.js";
import { checkAddress, checkRange, checkSameFamily, isMulticast, type Problems } from "../checks.js";
import { address, boolean, number, presence } from "../options.js";
import { KernelLinkType } from "./kernel-link.js";

/** IANA's port of RFC 7348. The kernel's own default is older. */
const PORT = 4789;
/** FDB_AGE_DEFAULT of drivers/net/vxlan, seconds. */
const AGEING_TIME = 300;

/** Ethernet over UDP. The outer packets leave by the namespace it was made in: it does not move. */
export const vxlan = new KernelLinkType({
  type: "VXLAN",
  field: "vxlan",
  kinds: ["vxlan"],
  lower: { field: "underlay_interface", attribute: "link" },
  options: {
    vni: number("id", { fixed: true, ours: true, zero: true, default: 0 }),
    remote: address("group", "group6"),
    local: address("local", "local6"),
    port: number("port", { fixed: true, ours: true, default: PORT }),
    ttl: number("ttl", { default: 0 }),
    tos: number("tos", { default: 0 }),
    learning: boolean("learning", { default: true }),
    ageing_time: number("ageing", { default: AGEING_TIME }),
    udp_checksum: boolean("udpChecksum", { fixed: true, ours: true }),
    collect_metadata: boolean("collectMetadata", { fixed: true }),
    group_policy: presence("gbp"),
  },
  shared: {
    fixed: true,
    encode: ({ source_port_min: low = 0, source_port_max: high = 0 }) =>
      high === 0 ? {} : { portRange: { low, high } },
    decode({ portRange }) {
      const { low = 0, high = 0 } = (portRange ?? {}) as { readonly low?: number; readonly high?: number };
      return low === 0 && high === 0 ? {} : { source_port_min: low, source_port_max: high };
    },
  },

  validate: (part) => [
    ...checkRange("vxlan.vni", part.vni, 0, 0xffffff),
    ...checkAddress("vxlan.remote", part.remote),
    ...checkAddress("vxlan.local", part.local),
    ...checkSameFamily("vxlan.local", part.local, part.remote),
    ...checkRange("vxlan.port", part.port, 0, 0xffff),
    ...checkRange("vxlan.ttl", part.ttl, 0, 255),
    ...checkRange("vxlan.tos", part.tos, 0, 255),
    ...checkSourcePorts(part),
    ...checkGroup(part),
    ...checkScopes(part),
  ],

  /** drivers/net/vxlan, vxlan_nl2conf: the kernel changes addresses, but neither their family nor whether there are any. */
  recreates: (before, after) =>
    familyOf(before) !== familyOf(after) ||
    Boolean(before.remote) !== Boolean(after.remote) ||
    Boolean(before.local) !== Boolean(after.local),
});

function familyOf({ remote, local }: VxlanLink): "IPv4" | "IPv6" {
  return (remote || local || "").includes(":") ? "IPv6" : "IPv4";
}

function checkSourcePorts({ source_port_min: low = 0, source_port_max: high = 0 }: VxlanLink): Problems {
  if (low <= high && high <= 0xffff && (low > 0 || high === 0)) return [];
  return [
    { field: "vxlan.source_port_min", problem: `is ${low}, with a maximum of ${high}: expected a range of ports` },
  ];
}

/** drivers/net/vxlan, vxlan_config_validate. */
function checkScopes({ remote = "", local = "", underlay_interface: underlay }: VxlanLink): Problems {
  const group = isMulticast(local) ? [{ field: "vxlan.local", problem: `is ${local}, a multicast group` }] : [];
  if (underlay || (!isLinkLocal(remote) && !isLinkLocal(local))) return group;
  const problem = `is missing, but ${isLinkLocal(remote) ? remote : local} means nothing without a link`;
  return [...group, { field: "vxlan.underlay_interface", problem }];
}

function isLinkLocal(text: string): boolean {
  return /^fe[89ab]/i.test(text);
}

function checkGroup({ remote, underlay_interface: underlay }: VxlanLink): Problems {
  if (!isMulticast(remote) || underlay) return [];
  return [{ field: "vxlan.underlay_interface", problem: `is missing, but the multicast group ${remote} needs one` }];
}
