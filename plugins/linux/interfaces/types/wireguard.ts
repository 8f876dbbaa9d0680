import { posix } from "node:path";
import type { WireguardDevice } from "#plugins/netlink/index.js";
import type { Interface, WireguardLink } from "#proto/index.js";
import { checkRange, type Problems } from "../checks.js";
import { hostNameOf } from "../host-name.js";
import type { LinkContext, LinkType } from "../link-type.js";
import { removeLink } from "../links.js";
import { makeLink } from "../make-link.js";
import { pathOfKey, readKey } from "./wireguard-keys.js";
import { checkNetworks, checkPeers, decodePeers, describePeers, peerChanges } from "./wireguard-peers.js";

const KEY_FILE = "wireguard.private_key_file";

/**
 * An encrypted tunnel. Keys and peers go over generic netlink, all of them in place; keys are read from files of the host and are
 * part of no value. The outer packets leave by the namespace it was made in: it does not move.
 */
export const wireguard: LinkType = {
  type: "WIREGUARD",
  field: "wireguard",
  kinds: ["wireguard"],
  /** What Ethernet leaves over: drivers/net/wireguard/device.c, wg_setup. */
  defaultMtu: async () => 1420,
  withoutMac: () => "a WireGuard interface has none",

  validate: ({ wireguard: part = {} }) => [
    ...checkKeyFile(part),
    ...checkRange("wireguard.listen_port", part.listen_port, 0, 0xffff),
    ...checkPeers(part.peers),
    ...checkNetworks(part.peers),
  ],

  async create(value, context) {
    const link = await makeLink(value, hostNameOf(value, wireguard), { kind: "wireguard" }, context);
    try {
      await configure({}, value.wireguard ?? {}, link.index, context);
    } catch (error) {
      await removeLink(context.handle, link.index);
      throw error;
    }
    return link;
  },

  same: (a, b) => same(a.wireguard ?? {}, b.wireguard ?? {}),

  async update(before, after, index, context) {
    if (!wireguard.same?.(before, after))
      await configure(before.wireguard ?? {}, after.wireguard ?? {}, index, context);
  },

  remove: (_value, index, { handle }) => removeLink(handle, index),

  async decode({ link, handle }, _links, expected): Promise<Partial<Interface>> {
    const device = await handle.wireguardGet(link.index);
    return { wireguard: device === undefined ? {} : await decode(device, expected?.wireguard ?? {}) };
  },
};

function checkKeyFile({ private_key_file: path = "" }: WireguardLink): Problems {
  if (posix.isAbsolute(path)) return [];
  return [{ field: KEY_FILE, problem: `is "${path}", expected the absolute path of a file with a key` }];
}

/** The device first, then its peers, each in a request of its own: they leave together, and none grows too long. */
async function configure(
  before: WireguardLink,
  after: WireguardLink,
  linkIndex: number,
  { handle }: LinkContext,
): Promise<void> {
  const device: WireguardDevice = {
    linkIndex,
    privateKey: await readKey(after.private_key_file ?? "", KEY_FILE),
    listenPort: after.listen_port ?? 0,
    fwMark: after.fw_mark ?? 0,
  };
  const peers = await peerChanges(before.peers ?? [], after.peers ?? []);
  await Promise.all([
    handle.wireguardSet(device),
    ...peers.map((peer) => handle.wireguardSet({ linkIndex, peers: [peer] })),
  ]);
}

function same(a: WireguardLink, b: WireguardLink): boolean {
  return (
    a.private_key_file === b.private_key_file &&
    (!b.listen_port || a.listen_port === b.listen_port) &&
    (a.fw_mark ?? 0) === (b.fw_mark ?? 0) &&
    describePeers(a.peers) === describePeers(b.peers)
  );
}

async function decode(device: WireguardDevice, expected: WireguardLink): Promise<WireguardLink> {
  const [file, peers] = await Promise.all([
    pathOfKey(expected.private_key_file, device.privateKey),
    decodePeers(device.peers ?? [], expected.peers ?? []),
  ]);
  return {
    ...(file === undefined ? {} : { private_key_file: file }),
    ...(device.listenPort ? { listen_port: device.listenPort } : {}),
    ...(device.fwMark ? { fw_mark: device.fwMark } : {}),
    ...(peers.length === 0 ? {} : { peers }),
  };
}
