import { SouthboundError } from "#core/errors.js";
import type { Link } from "#plugins/netlink/index.js";
import type { Interface, TunTapLink } from "#proto/index.js";
import { isCode } from "../../namespaces/index.js";
import { hostNameOf } from "../host-name.js";
import type { LinkContext, LinkType } from "../link-type.js";
import { nameTaken, removeLink } from "../links.js";
import { ETHERNET_MTU } from "./kernel-link.js";

/** `TUN` of enum in linux/if_tun.h as IFLA_TUN_TYPE says it. */
const TUN = 1;

/** A TUN or TAP that programs attach to, and that stays when they go. */
export const tap: LinkType = {
  type: "TAP",
  field: "tuntap",
  kinds: ["tun"],
  movable: true,
  defaultMtu: async () => ETHERNET_MTU,
  withoutMac: ({ tuntap }) => (tuntap?.mode === "TUN" ? "a TUN has none" : undefined),

  create: (value, context) => makeTap(value, context),

  /** Nothing of it changes while it is there. */
  recreates: (before, after) => describe(before.tuntap) !== describe(after.tuntap),

  remove: (_value, index, { handle }) => removeLink(handle, index),

  async decode({ link: { data = {} } }): Promise<Partial<Interface>> {
    const { type, owner, group, packetInformation, multiQueue, virtioHeader } = data;
    const tuntap: TunTapLink = {
      ...(type === TUN ? { mode: "TUN" } : {}),
      ...(typeof owner === "number" ? { owner } : {}),
      ...(typeof group === "number" ? { group } : {}),
      ...(packetInformation === true ? { packet_info: true } : {}),
      ...(multiQueue === true ? { multi_queue: true } : {}),
      ...(virtioHeader === true ? { vnet_header: true } : {}),
    };
    return { tuntap };
  },
};

async function makeTap(value: Interface, { handle, marker, makeWay }: LinkContext): Promise<Link> {
  const name = hostNameOf(value, tap);
  const alias = marker.of(value.name ?? "");
  const part = value.tuntap ?? {};
  const request = {
    name,
    alias,
    mode: part.mode === "TUN" ? "tun" : "tap",
    packetInformation: part.packet_info ?? false,
    virtioHeader: part.vnet_header ?? false,
    multiQueue: part.multi_queue ?? false,
    ...(part.owner === undefined ? {} : { owner: part.owner }),
    ...(part.group === undefined ? {} : { group: part.group }),
  } as const;
  try {
    await handle.tapAdd(request);
  } catch (error) {
    if (!isCode(error, "EEXIST", "EBUSY", "EINVAL")) throw error;
    const isThere = (await handle.linkByName(name)) !== undefined;
    if (!isThere && isCode(error, "EINVAL")) throw error;
    const link = await makeWay(handle, name, value.namespace);
    if (link !== undefined && link.alias !== alias) throw nameTaken(value, link, marker, error);
    if (link !== undefined) await removeLink(handle, link.index);
    await handle.tapAdd(request);
  }
  const made = await handle.linkByName(name);
  if (made !== undefined) return made;
  throw new SouthboundError("ENODEV", `${name} vanished while it was made`);
}

/** Equal for parts that mean the same. */
function describe(part: TunTapLink = {}): string {
  const {
    mode = "TAP",
    owner,
    group,
    packet_info: packetInfo,
    multi_queue: multiQueue,
    vnet_header: vnetHeader,
  } = part;
  return JSON.stringify([mode, owner, group, Boolean(packetInfo), Boolean(multiQueue), Boolean(vnetHeader)]);
}
