/** A network of scale: a trunk with a thousand VLANs, the first of which are in VRFs with a route each, and a thousand WireGuard peers. */
import { createHash } from "node:crypto";
import { stringify } from "yaml";

export interface Scale {
  readonly vlans: number;
  /** At most as many as there are VLANs. */
  readonly vrfs: number;
  readonly peers: number;
}

const SPACE = { type: "NSID", reference: "scale" };
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1);
const networkOf = (i: number): string => `10.${100 + (i >> 8)}.${i & 255}`;

/** The document of it. */
export function scaleDocument({ vlans, vrfs, peers }: Scale): string {
  const here = { namespace: SPACE, enabled: true };
  const interfaces = [
    { name: "trunk", type: "DUMMY", ...here },
    ...numbers(vrfs).map((i) => ({
      name: `vrf${i}`,
      type: "VRF_DEVICE",
      ...here,
      vrf_dev: { routing_table: 1000 + i },
    })),
    ...numbers(vlans).map((i) => ({
      name: `vlan${i}`,
      type: "VLAN",
      ...here,
      ip_addresses: [`${networkOf(i)}.1/24`],
      ...(i <= vrfs ? { vrf_master_interface: `vrf${i}` } : {}),
      vlan: { lower_interface: "trunk", id: i },
    })),
    {
      name: "wg0",
      type: "WIREGUARD",
      ...here,
      ip_addresses: ["10.200.0.1/16"],
      wireguard: {
        private_key_file: "/etc/wireguard/hub.key",
        peers: numbers(peers).map((i) => ({ public_key: publicKey(i), allowed_ips: [addressOf(i)] })),
      },
    },
  ];
  const routes = numbers(vrfs).map((i) => ({
    outgoing_interface: `vlan${i}`,
    dst_network: "0.0.0.0/0",
    gw_addr: `${networkOf(i)}.254`,
  }));
  return stringify({ linuxConfig: { interfaces, routes } }, { aliasDuplicateObjects: false });
}

/** The same for `ip -batch`. */
export function scaleBatch({ vlans, vrfs }: Scale): string {
  const vlan = (i: number): readonly string[] => [
    `link add link trunk name vlan${i} type vlan id ${i}`,
    ...(i <= vrfs ? [`link set vlan${i} master vrf${i}`] : []),
    `address add ${networkOf(i)}.1/24 dev vlan${i}`,
    `link set vlan${i} up`,
    ...(i <= vrfs ? [`route add default via ${networkOf(i)}.254 table ${1000 + i}`] : []),
  ];
  const lines = [
    "link add trunk type dummy",
    "link set trunk up",
    ...numbers(vrfs).flatMap((i) => [`link add vrf${i} type vrf table ${1000 + i}`, `link set vrf${i} up`]),
    ...numbers(vlans).flatMap(vlan),
    "link add wg0 type wireguard",
    "address add 10.200.0.1/16 dev wg0",
    "link set wg0 up",
  ];
  return `${lines.join("\n")}\n`;
}

/** The peers for `wg addconf`. */
export function scalePeers({ peers }: Scale): string {
  return numbers(peers)
    .map((i) => `[Peer]\nPublicKey = ${publicKey(i)}\nAllowedIPs = ${addressOf(i)}\n`)
    .join("");
}

/** Some point of the curve: nobody has its other half. */
function publicKey(i: number): string {
  return createHash("sha256").update(`peer ${i}`).digest("base64");
}

function addressOf(i: number): string {
  return `10.200.${1 + (i >> 8)}.${i & 255}/32`;
}
