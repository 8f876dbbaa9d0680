/** The networks that need more of a kernel. */
import { byHand, type Network, path } from "./support/network.js";

/** IPv6 is a router's business as a whole. */
const router = (namespace: string): NonNullable<Network["others"]> => ({
  make: `ip netns add ${namespace}; ip netns exec ${namespace} sysctl -qw net.ipv6.conf.all.forwarding=1`,
  remove: `ip netns delete ${namespace}`,
});

export const machine: readonly Network[] = [
  {
    name: "wireguard-hub",
    paths: [path("road", "10.20.0.1"), path("branch", "10.90.0.3"), path("road", "fd00:90::1")],
    // A telephone is a new peer, and the branch has another network.
    change: `
      linuxConfig:
        interfaces:
          - name: hub-wg
            type: WIREGUARD
            namespace: { type: NSID, reference: hub }
            host_if_name: wg0
            enabled: true
            mtu: 1420
            ip_addresses: [10.90.0.1/24, "fd00:90::1/64"]
            ipv4: { forwarding: true }
            wireguard:
              private_key_file: /etc/wireguard/hub.key
              listen_port: 51820
              peers:
                - public_key: zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=
                  allowed_ips: [10.90.0.2/32, "fd00:90::2/128", 10.20.0.0/16, 10.21.0.0/16]
                - public_key: Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI=
                  allowed_ips: [10.90.0.3/32, "fd00:90::3/128"]
                - public_key: rAGyIJ6GNU+4UyN7XeD0+rE8f8v0M6YcAZNpYX/s8Qs=
                  allowed_ips: [10.90.0.4/32]
          - { name: branch-lan, type: DUMMY, namespace: { type: NSID, reference: branch }, host_if_name: lan0, enabled: true, ip_addresses: [10.20.0.1/16, 10.21.0.1/16] }
        routes:
          - { outgoing_interface: hub-wg, dst_network: 10.21.0.0/16 }`,
    undisturbed: path("road", "10.20.0.1"),
    pathsThen: [path("hub", "10.21.0.1"), path("branch", "10.90.0.3")],
    byHand: [
      byHand("ip -n hub route delete 10.20.0.0/16"),
      byHand("ip -n hub link set wg0 down"),
      byHand("ip -n road address delete 10.90.0.3/24 dev wg0"),
      byHand("ip -n branch link delete wg0"),
      byHand(
        "ip netns exec hub wg set wg0 listen-port 4000 peer zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk= remove",
        "resync",
      ),
    ],
  },
  {
    name: "router-vrfs",
    others: router("pe"),
    paths: [
      path("red1", "192.168.2.1", "-I", "192.168.1.1"),
      path("red1", "2001:db8:2::2"),
      path("pe", "192.168.1.1", "-I", "red"),
      path("pe", "192.168.1.1", "-I", "blue"),
    ],
    noPaths: [path("blue1", "192.168.2.1", "-I", "192.168.1.1")],
    change: `
      linuxConfig:
        interfaces:
          - { name: red2-lo, type: LOOPBACK, namespace: { type: NSID, reference: red2 }, enabled: true, ip_addresses: [192.168.2.1/32, 192.168.3.1/32] }
          - { name: green, type: VRF_DEVICE, namespace: { type: NSID, reference: pe }, enabled: true, vrf_dev: { routing_table: 130 } }
          - name: pe-blue1
            type: VETH
            namespace: { type: NSID, reference: pe }
            enabled: true
            vrf_master_interface: green
            ip_addresses: [10.0.1.1/30]
            ipv4: { forwarding: true }
            veth: { peer_if_name: blue1-pe }
        routes:
          - { outgoing_interface: pe-red2, dst_network: 192.168.3.0/24, gw_addr: 10.0.2.2 }`,
    undisturbed: path("red1", "192.168.2.1", "-I", "192.168.1.1"),
    pathsThen: [path("pe", "192.168.1.1", "-I", "green"), path("red1", "192.168.3.1", "-I", "192.168.1.1")],
    byHand: [
      byHand("ip -n pe route delete 192.168.1.0/24 table 110"),
      byHand("ip -n pe route delete unreachable default table 120"),
      byHand("ip -n pe link set pe-red1 nomaster"),
      byHand("ip -n pe link delete blue"),
      byHand("ip -n pe address delete 10.0.2.1/30 dev pe-red2"),
      byHand("ip netns exec pe sysctl -qw net.ipv4.conf.pe-red1.forwarding=0"),
    ],
  },
  {
    name: "bond-bridge",
    paths: [path("host", "10.10.0.1"), path("vm1", "10.10.0.1"), path("vm1", "10.10.0.2"), path("vm1", "10.20.0.12")],
    change: `
      linuxConfig:
        interfaces:
          - name: host-bridge
            type: BRIDGE
            namespace: { type: NSID, reference: host }
            host_if_name: br0
            enabled: true
            bridge:
              vlan_filtering: true
              vlan_default_pvid: 0
              self: { vlans: [{ first: 10 }] }
              ports:
                - { interface: host-bond, vlans: [{ first: 10 }, { first: 20 }, { first: 30, last: 39 }] }
                - { interface: host-vm1, pvid: 10 }
                - { interface: host-vm2, pvid: 30 }
          - name: switch-30
            type: VLAN
            namespace: { type: NSID, reference: switch }
            host_if_name: lag1.30
            enabled: true
            ip_addresses: [10.30.0.1/24]
            vlan: { lower_interface: switch-lag, id: 30 }
          - name: vm2-eth0
            type: VETH
            namespace: { type: NSID, reference: vm2 }
            host_if_name: eth0
            enabled: true
            ip_addresses: [10.30.0.12/24]
            veth: { peer_if_name: host-vm2 }
          - { name: vm2-eth1, type: DUMMY, namespace: { type: NSID, reference: vm2 }, host_if_name: eth1 }
        routes:
          - { outgoing_interface: vm2-eth0, dst_network: 0.0.0.0/0, gw_addr: 10.30.0.1 }`,
    undisturbed: path("vm1", "10.10.0.1"),
    pathsThen: [path("vm2", "10.30.0.1"), path("host", "10.10.0.11")],
    byHand: [
      byHand("ip -n host link set eth1 down"),
      byHand("bridge -n host vlan delete dev bond0 vid 20"),
      byHand("bridge -n host vlan delete dev br0 vid 10 self"),
      byHand("bridge -n host vlan add dev vnet1 vid 77"),
      byHand("ip -n host link set vnet1 nomaster"),
      byHand("ip -n switch link set port2 nomaster"),
      byHand("ip -n switch link delete lag1.20"),
      byHand("ip -n host link delete bond0"),
      byHand("ip -n host link set br0 type bridge vlan_filtering 0"),
    ],
  },
  {
    name: "tunnels",
    paths: [
      path("paris", "10.70.0.2"),
      path("paris", "10.2.0.1"),
      path("rome", "fd00:71::1"),
      path("rome", "10.72.0.1"),
      path("paris", "10.73.0.2"),
      path("paris", "10.72.0.2", "-s", "1472", "-M", "do"),
    ],
    change: `
      linuxConfig:
        interfaces:
          - name: paris-geneve
            type: GENEVE
            namespace: { type: NSID, reference: paris }
            host_if_name: gnv1
            enabled: true
            ip_addresses: [10.74.0.1/30]
            geneve: { vni: 74, remote: 192.0.2.2, ttl: 32 }
          - name: rome-geneve
            type: GENEVE
            namespace: { type: NSID, reference: rome }
            host_if_name: gnv1
            enabled: true
            ip_addresses: [10.74.0.2/30]
            geneve: { vni: 74, remote: 192.0.2.1, ttl: 32 }
          - name: paris-gre6
            type: GRE
            namespace: { type: NSID, reference: paris }
            host_if_name: gre6
            enabled: true
            mtu: 1300
            ip_addresses: ["fd00:71::1/64"]
            gre: { local: "2001:db8::1", remote: "2001:db8::2", underlay_interface: paris-wan, ttl: 32 }`,
    undisturbed: path("paris", "10.2.0.1"),
    pathsThen: [path("paris", "10.74.0.2"), path("rome", "fd00:71::1")],
    byHand: [
      byHand("ip -n paris link delete gre1"),
      byHand("ip -n paris link set tap1 nomaster"),
      byHand("ip -n rome link set gre6 down"),
      byHand("ip -n paris address delete 192.0.2.1/24 dev wan"),
    ],
  },
  {
    name: "qinq",
    paths: [
      path("cpe", "203.0.113.1"),
      path("cpe", "2001:db8:64::1"),
      path("cpe", "100.64.0.1", "-s", "1472", "-M", "do"),
    ],
    change: `
      linuxConfig:
        interfaces:
          - name: cpe-phone
            type: VLAN
            namespace: { type: NSID, reference: cpe }
            host_if_name: wan.100.20
            enabled: true
            ip_addresses: [100.65.0.2/30]
            vlan: { lower_interface: cpe-service, id: 20, egress_qos: { 0: 5 } }
          - name: bng-phone
            type: VLAN
            namespace: { type: NSID, reference: bng }
            host_if_name: trunk.100.20
            enabled: true
            ip_addresses: [100.65.0.1/30]
            vlan: { lower_interface: bng-service, id: 20 }`,
    undisturbed: path("cpe", "203.0.113.1"),
    pathsThen: [path("cpe", "100.65.0.1")],
    byHand: [
      byHand("ip -n cpe link delete wan.100"),
      byHand("ip -n bng link set trunk.100 down"),
      byHand("ip -n bng link set trunk.100.10 mtu 1400"),
      byHand("bridge -n access vlan delete dev up vid 100-199"),
      byHand("ip -n cpe link set wan.100.10 type vlan egress 0:3"),
    ],
  },
];
