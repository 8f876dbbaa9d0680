import { type AttributeSpec, AttributeTable, list, raw } from "./attributes.js";
import {
  be16,
  be32,
  boolean8,
  flag,
  flagsAndMask,
  ip,
  ipOf,
  linkAddress,
  portRange,
  qosMapping,
  s32,
  u8,
  u16,
  u32,
  u64,
} from "./scalars.js";

/**
 * IFLA_INFO_DATA and IFLA_INFO_SLAVE_DATA of each kind of link, from linux/if_link.h and linux/if_tunnel.h. Adding a
 * kind is one table and one row in `linkKinds`. `veth` is not here: its data is a whole link (see link.ts).
 */

const ipv4 = ipOf(4);
const ipv6 = ipOf(6);
const empty = new AttributeTable("link data", {});

const bridge = new AttributeTable("bridge data", {
  forwardDelay: [1, u32],
  helloTime: [2, u32],
  maxAge: [3, u32],
  ageingTime: [4, u32],
  stpState: [5, u32],
  priority: [6, u16],
  vlanFiltering: [7, boolean8],
  vlanProtocol: [8, be16],
  groupForwardMask: [9, u16],
  groupAddress: [20, linkAddress],
  multicastRouter: [22, u8],
  multicastSnooping: [23, boolean8],
  multicastQueryUseIfaddr: [24, boolean8],
  multicastQuerier: [25, boolean8],
  multicastHashElasticity: [26, u32],
  multicastHashMax: [27, u32],
  multicastLastMemberCount: [28, u32],
  multicastStartupQueryCount: [29, u32],
  multicastLastMemberInterval: [30, u64],
  multicastMembershipInterval: [31, u64],
  multicastQuerierInterval: [32, u64],
  multicastQueryInterval: [33, u64],
  multicastQueryResponseInterval: [34, u64],
  multicastStartupQueryInterval: [35, u64],
  nfCallIptables: [36, boolean8],
  nfCallIp6tables: [37, boolean8],
  nfCallArptables: [38, boolean8],
  vlanDefaultPvid: [39, u16],
  vlanStatsEnabled: [41, boolean8],
  multicastStatsEnabled: [42, boolean8],
  multicastIgmpVersion: [43, u8],
  multicastMldVersion: [44, u8],
  vlanStatsPerPort: [45, boolean8],
});

export const bridgePort = new AttributeTable("bridge port data", {
  state: [1, u8],
  priority: [2, u16],
  cost: [3, u32],
  hairpin: [4, boolean8],
  guard: [5, boolean8],
  protect: [6, boolean8],
  fastLeave: [7, boolean8],
  learning: [8, boolean8],
  unicastFlood: [9, boolean8],
  proxyArp: [10, boolean8],
  proxyArpWifi: [12, boolean8],
  multicastRouter: [25, u8],
  multicastFlood: [27, boolean8],
  multicastToUnicast: [28, boolean8],
  vlanTunnel: [29, boolean8],
  broadcastFlood: [30, boolean8],
  groupForwardMask: [31, u16],
  neighbourSuppress: [32, boolean8],
  isolated: [33, boolean8],
  backupPort: [34, u32],
  multicastHostsLimit: [37, u32],
  locked: [39, boolean8],
});

const vxlan = new AttributeTable("vxlan data", {
  id: [1, u32],
  group: [2, ipv4],
  link: [3, u32],
  local: [4, ipv4],
  ttl: [5, u8],
  tos: [6, u8],
  learning: [7, boolean8],
  ageing: [8, u32],
  limit: [9, u32],
  portRange: [10, portRange],
  proxy: [11, boolean8],
  routeShortCircuit: [12, boolean8],
  l2Miss: [13, boolean8],
  l3Miss: [14, boolean8],
  port: [15, be16],
  group6: [16, ipv6],
  local6: [17, ipv6],
  udpChecksum: [18, boolean8],
  udpZeroChecksum6Tx: [19, boolean8],
  udpZeroChecksum6Rx: [20, boolean8],
  gbp: [23, flag],
  collectMetadata: [25, boolean8],
  flowLabel: [26, be32],
  gpe: [27, flag],
  ttlInherit: [28, flag],
  dontFragment: [29, u8],
  vniFilter: [30, boolean8],
});

const geneve = new AttributeTable("geneve data", {
  id: [1, u32],
  remote: [2, ipv4],
  ttl: [3, u8],
  tos: [4, u8],
  port: [5, be16],
  collectMetadata: [6, flag],
  remote6: [7, ipv6],
  udpChecksum: [8, boolean8],
  udpZeroChecksum6Tx: [9, boolean8],
  udpZeroChecksum6Rx: [10, boolean8],
  flowLabel: [11, be32],
  ttlInherit: [12, boolean8],
  dontFragment: [13, u8],
});

const gre = new AttributeTable("gre data", {
  link: [1, u32],
  inputFlags: [2, be16],
  outputFlags: [3, be16],
  inputKey: [4, be32],
  outputKey: [5, be32],
  local: [6, ip],
  remote: [7, ip],
  ttl: [8, u8],
  tos: [9, u8],
  pathMtuDiscovery: [10, boolean8],
  encapsulationLimit: [11, u8],
  flowInfo: [12, be32],
  flags: [13, u32],
  encapsulationType: [14, u16],
  encapsulationFlags: [15, u16],
  encapsulationSourcePort: [16, be16],
  encapsulationDestinationPort: [17, be16],
  collectMetadata: [18, flag],
  ignoreDf: [19, boolean8],
  mark: [20, u32],
});

const vlan = new AttributeTable("vlan data", {
  id: [1, u16],
  flags: [2, flagsAndMask],
  egressQos: [3, list(qosMapping, 1)],
  ingressQos: [4, list(qosMapping, 1)],
  protocol: [5, be16],
});

const macvlan = new AttributeTable("macvlan data", {
  mode: [1, u32],
  flags: [2, u16],
  macAddressMode: [3, u32],
  macAddress: [4, linkAddress],
  macAddresses: [5, list(linkAddress, 4)],
  macAddressCount: [6, u32],
  broadcastQueueLength: [7, u32],
  broadcastQueueLengthUsed: [8, u32],
});

const ipvlan = new AttributeTable("ipvlan data", { mode: [1, u16], flags: [2, u16] });

const vrf = new AttributeTable("vrf data", { table: [1, u32] });

const tun = new AttributeTable("tun data", {
  owner: [1, u32],
  group: [2, u32],
  type: [3, u8],
  packetInformation: [4, boolean8],
  virtioHeader: [5, boolean8],
  persist: [6, boolean8],
  multiQueue: [7, boolean8],
  queues: [8, u32],
  disabledQueues: [9, u32],
});

const bond = new AttributeTable("bond data", {
  mode: [1, u8],
  activeSlave: [2, u32],
  miimon: [3, u32],
  upDelay: [4, u32],
  downDelay: [5, u32],
  useCarrier: [6, boolean8],
  arpInterval: [7, u32],
  arpIpTargets: [8, list(ipv4, "counted")],
  arpValidate: [9, u32],
  arpAllTargets: [10, u32],
  primary: [11, u32],
  primaryReselect: [12, u8],
  failOverMac: [13, u8],
  transmitHashPolicy: [14, u8],
  resendIgmp: [15, u32],
  peerNotifications: [16, u8],
  allSlavesActive: [17, boolean8],
  minLinks: [18, u32],
  learningPacketInterval: [19, u32],
  packetsPerSlave: [20, u32],
  lacpRate: [21, u8],
  adSelect: [22, u8],
  adInfo: [23, raw],
  adActorSystemPriority: [24, u16],
  adUserPortKey: [25, u16],
  adActorSystem: [26, linkAddress],
  tlbDynamicLoadBalancing: [27, boolean8],
  peerNotificationDelay: [28, u32],
  lacpActive: [29, boolean8],
  missedMax: [30, u8],
  nsIp6Targets: [31, list(ipv6, "counted")],
});

const bondSlave = new AttributeTable("bond slave data", {
  state: [1, u8],
  miiStatus: [2, u8],
  linkFailures: [3, u32],
  permanentAddress: [4, linkAddress],
  queueId: [5, u16],
  aggregatorId: [6, u16],
  actorOperPortState: [7, u8],
  partnerOperPortState: [8, u16],
  priority: [9, s32],
});

const vrfSlave = new AttributeTable("vrf slave data", { table: [1, u32] });

/** IFLA_INFO_DATA by IFLA_INFO_KIND. */
export const linkKinds: ReadonlyMap<string, AttributeTable<AttributeSpec>> = new Map<
  string,
  AttributeTable<AttributeSpec>
>([
  ["bond", bond],
  ["bridge", bridge],
  ["dummy", empty],
  ["geneve", geneve],
  ["gre", gre],
  ["gretap", gre],
  ["ip6gre", gre],
  ["ip6gretap", gre],
  ["ifb", empty],
  ["ipvlan", ipvlan],
  ["macvlan", macvlan],
  ["macvtap", macvlan],
  ["tun", tun],
  ["vlan", vlan],
  ["vrf", vrf],
  ["vxlan", vxlan],
  ["wireguard", empty],
]);

/** IFLA_INFO_SLAVE_DATA by IFLA_INFO_SLAVE_KIND. */
export const slaveKinds: ReadonlyMap<string, AttributeTable<AttributeSpec>> = new Map<
  string,
  AttributeTable<AttributeSpec>
>([
  ["bond", bondSlave],
  ["bridge", bridgePort],
  ["vrf", vrfSlave],
]);
