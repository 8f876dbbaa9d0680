/** The networks that most kernels can do. */
import { byHand, type Network, path } from "./support/network.js";

export const here: readonly Network[] = [
  {
    name: "vxlan-overlay",
    paths: [path("red1", "10.10.0.2"), path("blue1", "10.10.0.2"), path("h1", "2001:db8:a::2")],
    change: `
      linuxConfig:
        interfaces:
          - { name: h1-green, type: VETH, namespace: { type: NSID, reference: h1 }, enabled: true, veth: { peer_if_name: red3 } }
          - name: red3
            type: VETH
            namespace: { type: NSID, reference: red3 }
            enabled: true
            ip_addresses: [10.10.0.3/24]
            veth: { peer_if_name: h1-green }
          - name: h1-br10
            type: BRIDGE
            namespace: { type: NSID, reference: h1 }
            host_if_name: br10
            enabled: true
            bridge: { ports: [{ interface: h1-vx10 }, { interface: h1-red }, { interface: h1-green }] }`,
    undisturbed: path("red1", "10.10.0.2"),
    pathsThen: [path("red3", "10.10.0.2"), path("red3", "10.10.0.1"), path("blue1", "10.10.0.2")],
    byHand: [
      byHand("ip -n h1 link set vx10 down"),
      byHand("ip -n h1 link set h1-red nomaster"),
      byHand("ip -n h2 link delete vx20"),
      byHand("ip -n h2 address delete 2001:db8:a::2/64 dev eth0"),
    ],
  },
  {
    name: "container-attach",
    others: {
      make: "ip netns add cni-web; ip netns add cni-db; ip -n cni-web link set lo up; ip -n cni-db link set lo up",
      remove: "ip netns delete cni-web; ip netns delete cni-db",
    },
    paths: [
      path("cni-web", "10.88.0.1"),
      path("cni-web", "fd00:88::3"),
      path("cni-db", "10.99.0.1"),
      path("", "10.88.0.2"),
    ],
    noPaths: [path("cni-web", "10.99.0.1")],
    change: `
      linuxConfig:
        interfaces:
          - { name: veth-app, type: VETH, enabled: true, veth: { peer_if_name: app } }
          - name: app
            type: VETH
            namespace: { type: NSID, reference: cni-app }
            host_if_name: eth0
            enabled: true
            ip_addresses: [10.88.0.4/24]
            veth: { peer_if_name: veth-app }
          - name: cni0
            type: BRIDGE
            enabled: true
            ip_addresses: [10.88.0.1/24, "fd00:88::1/64"]
            ipv4: { forwarding: true }
            bridge: { ports: [{ interface: veth-web }, { interface: veth-db, isolated: true }, { interface: veth-app, isolated: true }] }
        routes:
          - { outgoing_interface: app, dst_network: 0.0.0.0/0, gw_addr: 10.88.0.1 }`,
    undisturbed: path("cni-web", "10.88.0.3"),
    pathsThen: [path("cni-app", "10.88.0.2"), path("cni-web", "10.88.0.3")],
    byHand: [
      // The container is started again.
      byHand("ip netns delete cni-web; ip netns add cni-web; ip -n cni-web link set lo up"),
      byHand("ip -n cni-web route delete default"),
      byHand("ip -n cni-db link delete net1"),
      byHand("ip neighbour delete 10.88.0.2 dev cni0"),
    ],
  },
  {
    name: "two-providers",
    paths: [
      path("office", "192.0.2.1"),
      path("office", "2001:db8:ffff::1"),
      path("office", "192.0.2.10", "-I", "198.51.100.2"),
      path("office", "192.0.2.20", "-I", "203.0.113.2"),
      path("office", "2001:db8:ffff::1", "-I", "2001:db8:b::2"),
    ],
    noPaths: [
      path("office", "192.0.2.20", "-I", "198.51.100.2"),
      path("office", "192.0.2.10", "-I", "203.0.113.2"),
      path("office", "192.0.2.1", "-m", "51820"),
    ],
    change: `
      linuxConfig:
        routes:
          - dst_network: 0.0.0.0/0
            next_hops:
              - { outgoing_interface: office-a, gw_addr: 198.51.100.1, weight: 5 }
              - { outgoing_interface: office-b, gw_addr: 203.0.113.1, weight: 3 }
          - { outgoing_interface: office-a, dst_network: 192.0.2.10/32, gw_addr: 198.51.100.1 }
        rules:
          - { priority: 80, namespace: { type: NSID, reference: office }, dst_network: 192.0.2.20/32, table: 102 }`,
    undisturbed: path("office", "192.0.2.10", "-I", "198.51.100.2"),
    pathsThen: [path("office", "192.0.2.10"), path("office", "192.0.2.20"), path("office", "192.0.2.1")],
    byHand: [
      byHand("ip -n office rule delete priority 101"),
      byHand("ip -n office route delete default table 102"),
      byHand("ip -n office route replace default via 198.51.100.1"),
      byHand("ip -n office link set wan-a down"),
      byHand("ip -n office -6 route delete default"),
    ],
  },
  {
    name: "unnumbered-fabric",
    paths: [path("leaf1", "10.255.0.2"), path("leaf2", "10.255.0.1"), path("leaf1", "10.255.0.12")],
    change: `
      linuxConfig:
        routes:
          - dst_network: 10.255.0.2/32
            preferred_source: 10.255.0.1
            next_hops:
              - { outgoing_interface: leaf1-spine2, gw_addr: "fe80::ff:fe00:1201", on_link: true }
              - { outgoing_interface: leaf1-spine1, gw_addr: "fe80::ff:fe00:1101", on_link: true, weight: 3 }
          - { outgoing_interface: spine1-leaf1, dst_network: 10.254.0.0/16, gw_addr: "fe80::ff:fe00:111" }`,
    undisturbed: path("leaf1", "10.255.0.2"),
    pathsThen: [path("leaf1", "10.255.0.2"), path("leaf2", "10.255.0.1")],
    byHand: [
      byHand("ip -n leaf1 link set swp1 down"),
      byHand("ip -n spine1 route delete 10.255.0.2"),
      byHand("ip -n leaf2 address delete 10.255.0.2/32 dev swp1"),
      byHand("ip -n leaf2 address delete 10.255.0.2/32 dev lo"),
    ],
  },
  {
    name: "anycast",
    others: {
      // IPv6 is a router's business as a whole.
      make: "ip netns add router; ip netns exec router sysctl -qw net.ipv6.conf.all.forwarding=1",
      remove: "ip netns delete router",
    },
    paths: [path("client", "192.0.2.53"), path("client", "2001:db8:53::53")],
    // The second server is taken out of service: first nobody sends to it any more.
    change: `
      linuxConfig:
        routes:
          - dst_network: 192.0.2.53/32
            next_hops: [{ outgoing_interface: router-dns1, gw_addr: 10.1.0.2 }]
          - dst_network: "2001:db8:53::53/128"
            next_hops: [{ outgoing_interface: router-dns1, gw_addr: "2001:db8:1::2" }]`,
    undisturbed: path("client", "2001:db8:53::53"),
    pathsThen: [path("client", "192.0.2.53"), path("client", "2001:db8:53::53")],
    byHand: [
      byHand("ip -n dns2 address delete 192.0.2.53/32 dev lo"),
      byHand("ip -n router link set to-dns2 down"),
      byHand("ip -n router route delete 192.0.2.53"),
      byHand("ip -n router -6 route delete 2001:db8:53::53 via 2001:db8:2::2"),
    ],
  },
  {
    name: "shared-host",
    others: {
      make: `
        ip netns add provider
        ip link add eth0 type veth peer name cable netns provider
        ip -n provider address add 192.0.2.1/24 dev cable
        ip -n provider address add 192.0.2.254/24 dev cable
        ip -n provider -6 address add 2001:db8::1/64 dev cable nodad
        ip -n provider link set cable address 02:00:00:00:02:fe up
        ip -n provider link set lo up
        ip link set eth0 up
        ip address add 192.0.2.10/24 dev eth0
        ip route add default via 192.0.2.1 proto dhcp metric 100
        ip link add docker0 type bridge
        ip link add veth0 type veth peer name veth0-far
        ip link set veth0 master docker0 up
        ip link set veth0-far up
        ip address add 172.17.0.1/16 dev docker0
        ip link set docker0 up
        ip rule add not fwmark 51820 table 51820 priority 32764
        ip rule add table main suppress_prefixlength 0 priority 32763
        ip neighbour add 172.17.0.9 lladdr 02:00:00:00:00:09 dev docker0 nud permanent`,
      remove: `
        ip netns delete provider
        ip link delete docker0
        ip link delete veth0
        ip rule delete priority 32764
        ip rule delete priority 32763`,
    },
    paths: [path("", "192.0.2.254"), path("lab1", "10.50.0.1"), path("", "2001:db8::1", "-I", "2001:db8::200")],
    change: `
      linuxConfig:
        interfaces:
          - { name: uplink, type: EXISTING, host_if_name: eth0, enabled: true, ip_addresses: [192.0.2.200/24, 192.0.2.201/24, "2001:db8::200/64"] }
        routes:
          - { outgoing_interface: uplink, dst_network: 10.60.0.0/16, gw_addr: 192.0.2.254 }`,
    undisturbed: path("", "192.0.2.1"),
    pathsThen: [path("", "192.0.2.254", "-I", "192.0.2.201")],
    byHand: [
      byHand("ip address delete 192.0.2.200/24 dev eth0"),
      byHand("ip route delete default metric 900"),
      byHand("ip rule delete priority 500"),
      byHand("ip link delete br-lab"),
      {
        script: "ip route replace default via 192.0.2.254 proto dhcp metric 100",
        repairedBy: "nobody",
        undo: "ip route replace default via 192.0.2.1 proto dhcp metric 100",
      },
      { script: "ip link set docker0 mtu 1400", repairedBy: "nobody", undo: "ip link set docker0 mtu 1500" },
      {
        script: "ip address add 192.0.2.77/24 dev eth0",
        repairedBy: "nobody",
        undo: "ip address delete 192.0.2.77/24 dev eth0",
      },
    ],
  },
];
