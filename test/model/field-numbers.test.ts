import test from "ava";
import protobuf from "protobufjs";
import { descriptor } from "#proto/generated/descriptor.js";

const root = protobuf.Root.fromJSON(descriptor).resolveAll();

/** docs/contract.md, "Keys and messages". */
const fields: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "ligato.linux.interfaces.Interface": {
    name: 1,
    type: 2,
    namespace: 3,
    host_if_name: 4,
    enabled: 5,
    ip_addresses: 6,
    phys_address: 7,
    mtu: 8,
    link_only: 9,
    vrf_master_interface: 10,
    veth: 20,
    tap: 21,
    vrf_dev: 22,
  },
  "ligato.linux.interfaces.VethLink": { peer_if_name: 1, rx_checksum_offloading: 2, tx_checksum_offloading: 3 },
  "ligato.linux.interfaces.VrfDevLink": { routing_table: 1 },
  "ligato.linux.interfaces.TapLink": { vpp_tap_if_name: 1 },
  "ligato.linux.namespace.NetNamespace": { type: 1, reference: 2 },
  "ligato.linux.l3.Route": { outgoing_interface: 1, scope: 2, dst_network: 3, gw_addr: 4, metric: 5 },
  "ligato.linux.l3.ARPEntry": { interface: 1, ip_address: 2, hw_address: 3 },
  "ligato.linux.interfaces.InterfaceState": {
    name: 1,
    internal_name: 2,
    type: 3,
    if_index: 4,
    admin_status: 5,
    oper_status: 6,
    last_change: 7,
    phys_address: 8,
    speed: 9,
    mtu: 10,
    statistics: 100,
  },
  "ligato.linux.interfaces.InterfaceState.Statistics": {
    in_packets: 1,
    in_bytes: 2,
    out_packets: 3,
    out_bytes: 4,
    drop_packets: 5,
    in_error_packets: 6,
    out_error_packets: 7,
  },
  "ligato.linux.interfaces.InterfaceNotification": { type: 1, state: 2 },
};

const enums: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "ligato.linux.interfaces.Interface.Type": {
    UNDEFINED: 0,
    VETH: 1,
    TAP_TO_VPP: 2,
    LOOPBACK: 3,
    EXISTING: 4,
    VRF_DEVICE: 5,
    DUMMY: 6,
    BRIDGE: 100,
    VXLAN: 101,
    MACVLAN: 102,
    TAP: 103,
    VLAN: 104,
    BOND: 105,
    IPVLAN: 106,
    GENEVE: 107,
    GRE: 108,
    WIREGUARD: 109,
  },
  "ligato.linux.interfaces.VethLink.ChecksumOffloading": { DEFAULT: 0, ENABLED: 1, DISABLED: 2 },
  "ligato.linux.namespace.NetNamespace.ReferenceType": { UNDEFINED: 0, NSID: 1, PID: 2, FD: 3, MICROSERVICE: 4 },
  "ligato.linux.l3.Route.Scope": { UNDEFINED: 0, GLOBAL: 1, SITE: 2, LINK: 3, HOST: 4 },
  "ligato.linux.interfaces.InterfaceState.Status": { UNKNOWN_STATUS: 0, UP: 1, DOWN: 2, DELETED: 3 },
  "ligato.linux.interfaces.InterfaceNotification.NotifType": { UNKNOWN: 0, UPDOWN: 1 },
};

for (const [name, numbers] of Object.entries(fields)) {
  test(`${name} has the field numbers of the contract, and ours from 100`, (t) => {
    const actual = Object.fromEntries(root.lookupType(name).fieldsArray.map(({ name: field, id }) => [field, id]));
    t.like(actual, numbers);
    const ours = Object.entries(actual).filter(([field]) => !(field in numbers));
    t.deepEqual(
      ours.filter(([, id]) => id < 100),
      [],
    );
  });
}

for (const [name, numbers] of Object.entries(enums)) {
  test(`${name} has the values of the contract`, (t) => {
    t.like(root.lookupEnum(name).values, numbers);
  });
}

test("only types and numbers of ours follow the first 100 of an interface's links", (t) => {
  const links = root.lookupType("ligato.linux.interfaces.Interface").oneofs.link!.fieldsArray;
  t.deepEqual(
    links.filter(({ id }) => id < 100).map(({ name }) => name),
    ["veth", "tap", "vrf_dev"],
  );
});
