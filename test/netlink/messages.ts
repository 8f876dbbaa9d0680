import { randomBytes } from "node:crypto";
import type { Writer } from "#plugins/netlink/codec/buffer.js";
import { linkKinds, slaveKinds } from "#plugins/netlink/codec/link-kinds.js";
import * as scalars from "#plugins/netlink/codec/scalars.js";
import type {
  Address,
  Forwarding,
  LinkRequest,
  NamespaceHandle,
  Neighbour,
  PortVlansRequest,
  Route,
  Rule,
  WireguardDevice,
} from "#plugins/netlink/index.js";
import * as generic from "#plugins/netlink/namespace/generic.js";
import * as operations from "#plugins/netlink/namespace/operations.js";

/** A request as the client writes it. */
export interface SampleMessage {
  /** The operation, and what is special about the sample. */
  readonly title: string;
  readonly encode: (writer: Writer) => void;
}

const SAMPLE_OF = new Map<unknown, unknown>([
  [scalars.u8, 3],
  [scalars.u16, 300],
  [scalars.u32, 70_000],
  [scalars.s32, -2],
  [scalars.be16, 4789],
  [scalars.be32, 0x01020304],
  [scalars.u64, 2n ** 40n],
  [scalars.boolean8, true],
  [scalars.flag, true],
  [scalars.string, "eth0"],
  [scalars.ip, "2001:db8::1"],
  [scalars.linkAddress, "02:00:00:00:00:01"],
  [scalars.flagsAndMask, { flags: 1, mask: 3 }],
  [scalars.portRange, { low: 1024, high: 2048 }],
  [scalars.qosMapping, { from: 1, to: 2 }],
]);

/** A value for every attribute that has one of the shared types. */
function dataOf(table: {
  readonly spec: Readonly<Record<string, readonly [number, unknown]>>;
}): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const [name, [, codec]] of Object.entries(table.spec)) {
    const value = SAMPLE_OF.get(codec);
    if (value !== undefined) data[name] = value;
  }
  return data;
}

const unknown = new Map([[300, new Uint8Array([1, 2, 3, 4, 5])]]);
const key = (): string => randomBytes(32).toString("base64");

const link: LinkRequest = {
  name: "veth0",
  index: 7,
  mtu: 1400,
  address: "02:00:00:00:00:01",
  link: 3,
  master: 9,
  alias: "tenuto:an alias of some length",
  group: 5,
  txQueueLength: 1000,
  up: true,
  unknown,
  kind: "veth",
  peer: { name: "veth1", mtu: 1400, address: "02:00:00:00:00:02" },
};

/** The only thing about a namespace that a message says. */
const other = { fd: 9 } as unknown as NamespaceHandle;

const address: Address = {
  linkIndex: 3,
  address: "10.0.0.1/24",
  peer: "10.0.0.2",
  broadcast: "10.0.0.255",
  label: "eth0:1",
  flags: 0x80,
  protocol: 4,
  scope: 0,
  unknown,
};

const route: Route = {
  destination: "2001:db8::/32",
  table: 1000,
  protocol: 4,
  metric: 7,
  preferredSource: "2001:db8::1",
  gateway: "fe80::1",
  linkIndex: 4,
  unknown,
};

const multipath: Route = {
  destination: "10.0.0.0/8",
  nextHops: [
    { linkIndex: 4, gateway: "192.0.2.1", weight: 3 },
    { linkIndex: 5, gateway: "fe80::1", onLink: true },
  ],
};

const neighbour: Neighbour = {
  linkIndex: 3,
  address: "2001:db8::2",
  linkAddress: "02:00:00:00:00:03",
  state: 0x80,
  flags: 1,
  protocol: 4,
  unknown,
};

const forwarding: Forwarding = {
  linkIndex: 3,
  linkAddress: "02:00:00:00:00:03",
  state: 0x80,
  flags: 2,
  destination: "2001:db8::2",
  vlan: 7,
  port: 4789,
  vni: 100,
  via: 4,
  sourceVni: 200,
  unknown,
};

const rule: Rule = {
  family: "inet6",
  priority: 100,
  table: 1000,
  source: "2001:db8::/32",
  destination: "2001:db8:1::/48",
  inputInterface: "eth0",
  outputInterface: "eth1",
  mark: 1,
  markMask: 0xff,
  protocol: 4,
  tos: 4,
  invert: true,
  goto: 200,
  suppressPrefixLength: 0,
  ipProtocol: 6,
  sourcePorts: { first: 1, last: 2 },
  destinationPorts: { first: 3, last: 4 },
  unknown,
};

const ports: PortVlansRequest = {
  linkIndex: 3,
  vlans: [
    { first: 1, last: 1, pvid: true, untagged: true },
    { first: 10, last: 20, pvid: false, untagged: false },
  ],
};

const wireguard: WireguardDevice = {
  linkIndex: 3,
  privateKey: key(),
  listenPort: 51820,
  fwMark: 1,
  peers: Array.from({ length: 6 }, (_, at) => ({
    publicKey: key(),
    presharedKey: key(),
    endpoint: { address: at % 2 === 0 ? "192.0.2.1" : "2001:db8::1", port: 51820 },
    persistentKeepalive: 25,
    allowedIps: ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"],
  })),
};

function sample<T>(
  title: string,
  operation: { encode(writer: Writer, value: T): void },
  ...values: readonly T[]
): readonly SampleMessage[] {
  return values.map((value, at) => ({
    title: at === 0 ? title : `${title} (${at})`,
    encode: (writer) => operation.encode(writer, value),
  }));
}

const kinds: readonly LinkRequest[] = [
  ...[...linkKinds].map(([kind, table]) => ({ name: "eth0", kind, data: dataOf(table) })),
  ...[...slaveKinds].map(([slaveKind, table]) => ({ index: 3, slaveKind, slaveData: dataOf(table) })),
];

/** One or more of every request that the client can make, with every attribute that it can have. */
export const messages: readonly SampleMessage[] = [
  ...sample("linkAdd", operations.linkAdd, link, ...kinds),
  ...sample("linkSet", operations.linkSet, { index: 3, up: false, namespace: other }),
  ...sample("linkDel", operations.linkDel, 3),
  ...sample("altNameAdd", operations.altNameAdd, { index: 3, name: "a name that is longer than an interface's" }),
  ...sample("altNameDel", operations.altNameDel, { index: 3, name: "other" }),
  ...sample("linkGetByName", operations.linkGetByName, "eth0", "a name that is longer than an interface's"),
  ...sample("linkGetByIndex", operations.linkGetByIndex, 3),
  ...sample("linkDump", operations.linkDump, { kind: "bridge", master: 3 }),
  ...sample("linkProtocolsSet", operations.linkProtocolsSet, {
    linkIndex: 3,
    ipv4: new Map([[20, 1]]),
    ipv6: { token: "::5", addressMode: 1 },
  }),
  ...sample("bridgeVlanAdd", operations.bridgeVlanAdd, ports, { ...ports, self: true }),
  ...sample("bridgeVlanDel", operations.bridgeVlanDel, ports),
  ...sample("bridgeVlanDump", operations.bridgeVlanDump, undefined),
  ...sample("addrAdd", operations.addrAdd, address),
  ...sample("addrReplace", operations.addrReplace, { linkIndex: 3, address: "2001:db8::1/64" }),
  ...sample("addrDel", operations.addrDel, address),
  ...sample("addrDump", operations.addrDump, { family: 2, linkIndex: 3 }),
  ...sample("routeAdd", operations.routeAdd, route, multipath, { destination: "10.0.0.0/8", gateway: "fe80::1" }),
  ...sample("routeAppend", operations.routeAppend, route),
  ...sample("routeReplace", operations.routeReplace, route),
  ...sample("routeDel", operations.routeDel, route, multipath),
  ...sample("routeDump", operations.routeDump, { family: 2, table: 1000, linkIndex: 3, protocol: 4 }),
  ...sample("neighAdd", operations.neighAdd, neighbour),
  ...sample("neighSet", operations.neighSet, neighbour),
  ...sample("neighDel", operations.neighDel, neighbour),
  ...sample("neighDump", operations.neighDump, { linkIndex: 3 }),
  ...sample("forwardingAdd", operations.forwardingAdd, forwarding),
  ...sample("forwardingSet", operations.forwardingSet, forwarding),
  ...sample("forwardingAppend", operations.forwardingAppend, forwarding),
  ...sample("forwardingDel", operations.forwardingDel, forwarding),
  ...sample("forwardingDump", operations.forwardingDump, { linkIndex: 3 }),
  ...sample("forwardingGet", operations.forwardingGet, { master: 4, linkAddress: "02:00:00:00:00:03", vlan: 7 }),
  ...sample("ruleAdd", operations.ruleAdd, rule),
  ...sample("ruleDel", operations.ruleDel, rule),
  ...sample("ruleDump", operations.ruleDump, 2),
  ...sample("namespaceIdGet", operations.namespaceIdGet, 9),
  ...sample("familyGet", generic.familyGet, "wireguard"),
  ...sample("featureGet", generic.featureGet, 3),
  ...sample("featureSet", generic.featureSet, {
    linkIndex: 3,
    features: { "tx-checksum-ip-generic": true, "rx-checksum": false },
  }),
  ...sample("speedGet", generic.speedGet, 3),
  ...sample("wireguardGet", generic.wireguardGet, 3),
  ...sample("wireguardSet", generic.wireguardSet, wireguard),
];
