import type { WireguardPeer } from "#plugins/netlink/index.js";
import { canonicalAddress, canonicalNetwork, type WireguardLinkPeer } from "#proto/index.js";
import { checkRange, type Problems } from "../checks.js";
import { isKey, pathOfKey, readKey, ZERO_KEY } from "./wireguard-keys.js";

const FIELD = "wireguard.peers";

/** `192.0.2.1:51820`, or `[2001:db8::1]:51820`. */
const ENDPOINT = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/;

export function checkPeers(peers: readonly WireguardLinkPeer[] = []): Problems {
  const keys = peers.map(({ public_key: key }) => key);
  return peers.flatMap((peer, position) => {
    const field = `${FIELD}[${position}]`;
    const { public_key: key = "", endpoint, persistent_keepalive: keepalive, allowed_ips: networks = [] } = peer;
    const again = keys.indexOf(key) !== position;
    return [
      ...(isKey(key) ? [] : [{ field: `${field}.public_key`, problem: `is "${key}", expected 32 bytes in base64` }]),
      ...(again ? [{ field: `${field}.public_key`, problem: "is the key of another peer too" }] : []),
      ...checkEndpoint(`${field}.endpoint`, endpoint),
      ...checkRange(`${field}.persistent_keepalive`, keepalive, 0, 0xffff),
      ...networks.flatMap((text, each) => checkNetwork(`${field}.allowed_ips[${each}]`, text)),
    ];
  });
}

/** The kernel gives a network to the last peer that asks for it, and takes it from the others (allowedips.c, add). */
export function checkNetworks(peers: readonly WireguardLinkPeer[] = []): Problems {
  const owners = new Map<string, number>();
  return peers.flatMap(({ allowed_ips: networks = [] }, position) =>
    networks.flatMap((text, each): Problems => {
      const network = canonicalNetwork(text);
      if (network === undefined) return [];
      const owner = owners.get(network);
      owners.set(network, owner ?? position);
      if (owner === undefined || owner === position) return [];
      const [first, second] = [peers[owner]?.public_key, peers[position]?.public_key];
      const problem = `is ${network}, which is given to peer ${first} and to peer ${second}: only one can have it`;
      return [{ field: `${FIELD}[${position}].allowed_ips[${each}]`, problem }];
    }),
  );
}

function checkEndpoint(field: string, text: string | undefined): Problems {
  if (!text || parseEndpoint(text) !== undefined) return [];
  return [{ field, problem: `is "${text}", expected an address with port, 192.0.2.1:51820 or [2001:db8::1]:51820` }];
}

function checkNetwork(field: string, text: string): Problems {
  if (canonicalNetwork(text) !== undefined) return [];
  return [{ field, problem: `is "${text}", expected a network such as 10.0.0.0/24 or fd00::/64` }];
}

function parseEndpoint(text: string): WireguardPeer["endpoint"] {
  const [, v6, v4, port] = ENDPOINT.exec(text) ?? [];
  const address = canonicalAddress(v6 ?? v4 ?? "");
  const number = Number(port);
  if (address === undefined || (v6 !== undefined) !== address.includes(":") || number < 1 || number > 0xffff)
    return undefined;
  return { address, port: number };
}

function formatEndpoint({ address, port }: NonNullable<WireguardPeer["endpoint"]>): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The requests that make of one list of peers another. A peer that stays keeps its session. */
export async function peerChanges(
  before: readonly WireguardLinkPeer[],
  after: readonly WireguardLinkPeer[],
): Promise<readonly WireguardPeer[]> {
  const desired = new Set(after.map(({ public_key: key }) => key));
  // The kernel knows no way to take an endpoint from a peer: one that is to have none any more is made anew.
  const withoutEndpoint = new Set(after.flatMap(({ public_key: key, endpoint }) => (endpoint ? [] : [key])));
  const gone = before.flatMap(({ public_key: publicKey = "", endpoint }): WireguardPeer[] => {
    const stays = desired.has(publicKey) && !(endpoint && withoutEndpoint.has(publicKey));
    return stays ? [] : [{ publicKey, remove: true }];
  });
  const set = await Promise.all(after.map((peer, position) => peerRequest(peer, `${FIELD}[${position}]`)));
  return [...gone, ...set];
}

async function peerRequest(peer: WireguardLinkPeer, field: string): Promise<WireguardPeer> {
  const { public_key: publicKey = "", preshared_key_file: file, endpoint: text } = peer;
  const endpoint = text ? parseEndpoint(text) : undefined;
  return {
    publicKey,
    presharedKey: file ? await readKey(file, `${field}.preshared_key_file`) : ZERO_KEY,
    ...(endpoint === undefined ? {} : { endpoint }),
    persistentKeepalive: peer.persistent_keepalive ?? 0,
    allowedIps: (peer.allowed_ips ?? []).flatMap((network) => canonicalNetwork(network) ?? []),
  };
}

/**
 * The peers as the kernel has them. Where a peer sends from changes as it moves; that is no difference, as long as the peer has
 * an endpoint at all.
 */
export function decodePeers(
  found: readonly WireguardPeer[],
  expected: readonly WireguardLinkPeer[],
): Promise<readonly WireguardLinkPeer[]> {
  const desired = new Map(expected.map((peer) => [peer.public_key, peer]));
  return Promise.all(
    found.map(async ({ publicKey, presharedKey, endpoint, persistentKeepalive, allowedIps = [] }) => {
      const own = desired.get(publicKey);
      const file = await pathOfKey(own?.preshared_key_file, presharedKey);
      const place = endpoint && (own === undefined ? formatEndpoint(endpoint) : own.endpoint);
      return {
        public_key: publicKey,
        ...(file === undefined ? {} : { preshared_key_file: file }),
        ...(place ? { endpoint: place } : {}),
        ...(allowedIps.length === 0 ? {} : { allowed_ips: allowedIps }),
        ...(persistentKeepalive ? { persistent_keepalive: persistentKeepalive } : {}),
      };
    }),
  );
}

/** Equal for lists of peers that mean the same. */
export function describePeers(peers: readonly WireguardLinkPeer[] = []): string {
  const described = peers.map((peer) => {
    const endpoint = peer.endpoint ? parseEndpoint(peer.endpoint) : undefined;
    const networks = (peer.allowed_ips ?? []).map((network) => canonicalNetwork(network) ?? network).sort();
    const { public_key: key, preshared_key_file: file = "", persistent_keepalive: keepalive = 0 } = peer;
    return JSON.stringify([key, file, endpoint && formatEndpoint(endpoint), networks, keepalive]);
  });
  return described.sort().join();
}
