import { InvalidInputError } from "#core/errors.js";
import type { WireguardDevice, WireguardPeer } from "../types.js";
import { AttributeTable, type Codec, list, nested, type TableValues } from "./attributes.js";
import { type Reader, requireHeader, type Writer } from "./buffer.js";
import { AF_INET, AF_INET6 } from "./constants.js";
import { genericHeaderBytes, writeGenericHeader } from "./generic.js";
import { ip, u8, u16, u32 } from "./scalars.js";

/** The family `wireguard`, linux/wireguard.h. */

const WG_CMD_GET_DEVICE = 0;
const WG_CMD_SET_DEVICE = 1;
const VERSION = 1;
const KEY_BYTES = 32;

/** WGPEER_F_* */
const REMOVE = 1;
const REPLACE_ALLOWED_IPS = 2;

/** 32 bytes, as base64. */
const key: Codec<string> = {
  write(writer, value) {
    const bytes = Buffer.from(value, "base64");
    if (bytes.length !== KEY_BYTES)
      throw new InvalidInputError("INVALID_VALUE", "expected a key of 32 bytes in base64");
    writer.append(bytes);
  },
  read({ bytes }, offset, length) {
    return length === KEY_BYTES ? Buffer.from(bytes.subarray(offset, offset + length)).toString("base64") : undefined;
  },
};

type Endpoint = NonNullable<WireguardPeer["endpoint"]>;

/** struct sockaddr_in, or struct sockaddr_in6. */
const endpoint: Codec<Endpoint> = {
  write(writer, { address, port }) {
    const v6 = address.includes(":");
    const start = writer.reserve(4);
    writer.view.setUint16(start, v6 ? AF_INET6 : AF_INET, true);
    writer.view.setUint16(start + 2, port);
    if (v6) writer.reserve(4);
    ip.write(writer, address);
    writer.reserve(v6 ? 4 : 8);
  },
  read(reader, offset, length) {
    if (length !== 16 && length !== 28) return undefined;
    const v6 = reader.view.getUint16(offset, true) === AF_INET6;
    if (v6 !== (length === 28)) return undefined;
    const address = v6 ? ip.read(reader, offset + 8, 16) : ip.read(reader, offset + 4, 4);
    return address === undefined ? undefined : { address, port: reader.view.getUint16(offset + 2) };
  },
};

const networkTable = new AttributeTable("allowed network", { family: [1, u16], address: [2, ip], length: [3, u8] });

const peerTable = new AttributeTable(
  "peer",
  {
    publicKey: [1, key],
    presharedKey: [2, key],
    flags: [3, u32],
    endpoint: [4, endpoint],
    persistentKeepalive: [5, u16],
    allowedIps: [9, list(nested(networkTable), "counted")],
  },
  [6, 7, 8, 10],
);

const deviceTable = new AttributeTable(
  "wireguard device",
  {
    linkIndex: [1, u32],
    privateKey: [3, key],
    publicKey: [4, key],
    listenPort: [6, u16],
    fwMark: [7, u32],
    peers: [8, list(nested(peerTable), "counted")],
  },
  [2],
);

export function encodeWireguardQuery(writer: Writer, linkIndex: number): void {
  writeGenericHeader(writer, WG_CMD_GET_DEVICE, VERSION);
  deviceTable.encode(writer, { linkIndex });
}

/** What is left out is left alone. A peer's networks replace those it has. */
export function encodeWireguard(writer: Writer, { linkIndex, privateKey, listenPort, fwMark, peers }: WireguardDevice) {
  writeGenericHeader(writer, WG_CMD_SET_DEVICE, VERSION);
  deviceTable.encode(writer, { linkIndex, privateKey, listenPort, fwMark, peers: peers?.map(peerValues) });
}

function peerValues({ publicKey, presharedKey, endpoint: to, persistentKeepalive, allowedIps, remove }: WireguardPeer) {
  return {
    publicKey,
    presharedKey,
    flags: remove ? REMOVE : REPLACE_ALLOWED_IPS,
    endpoint: to,
    persistentKeepalive,
    allowedIps: allowedIps?.map(networkValues),
  };
}

function networkValues(network: string) {
  const [address = "", length] = network.split("/");
  return { family: address.includes(":") ? AF_INET6 : AF_INET, address, length: Number(length) };
}

/** One message of a dump: a device can take several, each with some of its peers. */
export function decodeWireguard(reader: Reader, start: number, end: number): WireguardDevice | undefined {
  requireHeader("wireguard device", start, end, genericHeaderBytes);
  const values = deviceTable.decode(reader, start + genericHeaderBytes, end);
  const { linkIndex, privateKey, publicKey, listenPort, fwMark, peers = [] } = values;
  if (linkIndex === undefined) return undefined;
  return {
    linkIndex,
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(publicKey === undefined ? {} : { publicKey }),
    ...(listenPort === undefined ? {} : { listenPort }),
    ...(fwMark === undefined ? {} : { fwMark }),
    peers: peers.flatMap(decodePeer),
  };
}

function decodePeer(values: TableValues<typeof peerTable>): readonly WireguardPeer[] {
  const { publicKey, presharedKey, endpoint: to, persistentKeepalive, allowedIps = [] } = values;
  if (publicKey === undefined) return [];
  const peer: WireguardPeer = {
    publicKey,
    allowedIps: allowedIps.map(({ address, length }) => `${address}/${length}`),
    ...(presharedKey === undefined ? {} : { presharedKey }),
    ...(to === undefined ? {} : { endpoint: to }),
    ...(persistentKeepalive === undefined ? {} : { persistentKeepalive }),
  };
  return [peer];
}

/** Puts the messages of a dump together. A peer with many networks can be cut in two. */
export function joinWireguard(parts: readonly WireguardDevice[]): WireguardDevice | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  const peers = new Map<string, WireguardPeer>();
  for (const peer of parts.flatMap((part) => part.peers ?? [])) {
    const begun = peers.get(peer.publicKey);
    const allowedIps = [...(begun?.allowedIps ?? []), ...(peer.allowedIps ?? [])];
    peers.set(peer.publicKey, { ...peer, ...begun, allowedIps });
  }
  return { ...first, peers: [...peers.values()] };
}
