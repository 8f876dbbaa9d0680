import { decodeAddress } from "#plugins/netlink/codec/address.js";
import { decodeBridgeMember, decodeBridgeVlans } from "#plugins/netlink/codec/bridge-vlan.js";
import type { Reader } from "#plugins/netlink/codec/buffer.js";
import { decodeFeatures, decodeSpeed } from "#plugins/netlink/codec/ethtool.js";
import { decodeForwarding } from "#plugins/netlink/codec/forwarding.js";
import { decodeFamily } from "#plugins/netlink/codec/generic.js";
import { decodeLink } from "#plugins/netlink/codec/link.js";
import { decodeLinkProtocols, decodeNetconf } from "#plugins/netlink/codec/link-protocols.js";
import { decodeNamespaceId } from "#plugins/netlink/codec/namespace-id.js";
import { decodeNeighbour } from "#plugins/netlink/codec/neighbour.js";
import { decodeRoute } from "#plugins/netlink/codec/route.js";
import { decodeRule } from "#plugins/netlink/codec/rule.js";
import { decodeWireguard } from "#plugins/netlink/codec/wireguard.js";

export type Decoder = (reader: Reader, start: number, end: number) => unknown;

/** Every decoder of the payload of a message, with the bytes of its fixed header. */
export const decoders: Readonly<Record<string, { readonly decode: Decoder; readonly headerBytes: number }>> = {
  address: { decode: decodeAddress, headerBytes: 8 },
  bridgeMember: { decode: decodeBridgeMember, headerBytes: 16 },
  bridgeVlans: { decode: decodeBridgeVlans, headerBytes: 16 },
  family: { decode: decodeFamily, headerBytes: 4 },
  features: { decode: decodeFeatures, headerBytes: 4 },
  link: { decode: decodeLink, headerBytes: 16 },
  linkProtocols: { decode: decodeLinkProtocols, headerBytes: 16 },
  namespaceId: { decode: decodeNamespaceId, headerBytes: 4 },
  netconf: { decode: decodeNetconf, headerBytes: 4 },
  forwarding: { decode: decodeForwarding, headerBytes: 12 },
  neighbour: { decode: decodeNeighbour, headerBytes: 12 },
  route: { decode: decodeRoute, headerBytes: 12 },
  rule: { decode: decodeRule, headerBytes: 12 },
  speed: { decode: decodeSpeed, headerBytes: 4 },
  wireguard: { decode: decodeWireguard, headerBytes: 4 },
};
