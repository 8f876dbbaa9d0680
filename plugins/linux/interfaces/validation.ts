import type { InvalidField } from "#core/scheduler/api/scheduler.js";
import { canonicalInterfaceAddress, type Interface } from "#proto/index.js";
import { validateNamespace } from "../namespaces/index.js";
import { checkOther } from "./checks.js";
import { validateHostName } from "./host-name.js";
import { validateLinkSettings } from "./link-settings.js";
import type { LinkField, LinkType } from "./link-type.js";
import type { Marker } from "./marker.js";
import { IPV6_MIN_MTU } from "./own-addresses.js";
import { linkTypeOf, supportedTypes } from "./types/index.js";

const LINK_FIELDS: readonly LinkField[] = [
  "veth",
  "tap",
  "vrf_dev",
  "bridge",
  "vxlan",
  "macvlan",
  "tuntap",
  "vlan",
  "bond",
  "ipvlan",
  "geneve",
  "gre",
  "wireguard",
];

const MAC_ADDRESS = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** Every wrong field of an interface. */
export function validateInterface(value: Interface, marker: Marker): readonly InvalidField[] {
  const type = linkTypeOf(value);
  return [
    ...validateName(value, marker),
    ...validateType(value, type),
    ...validateHostName(value, type),
    ...validateNamespace(value.namespace),
    ...validateAddresses(value.ip_addresses ?? [], value.type),
    ...validateMtu(value),
    ...validateHardwareAddress(value, type),
    ...validateVrf(value, type),
    ...validateUnnumbered(value),
    ...validateLinkSettings(value),
    ...(type?.validate?.(value) ?? []),
  ];
}

function validateName({ name }: Interface, marker: Marker): readonly InvalidField[] {
  if (!name) return [{ field: "name", problem: "is missing" }];
  if (Buffer.byteLength(name) > marker.maxNameBytes || name.includes("\0")) {
    const problem = `is "${name}", expected at most ${marker.maxNameBytes} bytes, none of them zero`;
    return [{ field: "name", problem }];
  }
  return [];
}

function validateType(value: Interface, type: LinkType | undefined): readonly InvalidField[] {
  const is = value.type ?? "UNDEFINED";
  if (type === undefined) {
    return [{ field: "type", problem: `is ${is}, supported are ${supportedTypes().join(", ")}` }];
  }
  return LINK_FIELDS.filter((field) => field !== type.field && value[field] !== undefined).map((field) => ({
    field,
    problem: `is set, but does not belong to an interface of type ${is}`,
  }));
}

/** Refused by net/ipv6/addrconf.c, ipv6_add_addr; taken and forgotten by net/ipv4/devinet.c, __inet_insert_ifa. */
const NOBODYS = /^(?:0\.0\.0\.0\/|::\/|ff[0-9a-f]{2}:)/;
/** Of types that are never a loopback or a VRF, which alone may have ::1. */
const WITHOUT_LOOPBACK_ADDRESS: ReadonlySet<Interface["type"]> = new Set([
  "VETH",
  "TAP",
  "DUMMY",
  "BRIDGE",
  "BOND",
  "VLAN",
  "MACVLAN",
  "IPVLAN",
  "VXLAN",
  "GENEVE",
  "GRE",
  "WIREGUARD",
]);

function validateAddresses(addresses: readonly string[], type: Interface["type"]): readonly InvalidField[] {
  const seen = new Map<string, number>();
  return addresses.flatMap((text, position): InvalidField[] => {
    const field = `ip_addresses[${position}]`;
    const address = canonicalInterfaceAddress(text);
    if (address === undefined) {
      return [
        {
          field,
          problem: `is "${text}", expected an address with prefix length such as 10.0.0.1/24 or fd00::1/64, or 10.0.0.1 peer 10.0.0.2/32, and behind it label, valid_lft, preferred_lft, noprefixroute`,
        },
      ];
    }
    if (NOBODYS.test(address) || (address.startsWith("::1/") && WITHOUT_LOOPBACK_ADDRESS.has(type))) {
      return [{ field, problem: `is ${text}, which the kernel gives to no such interface` }];
    }
    const first = seen.get(address);
    if (first !== undefined) return [{ field, problem: `is ${text}, the same as ip_addresses[${first}]` }];
    seen.set(address, position);
    return [];
  });
}

function validateMtu({ mtu, ip_addresses = [], link_only }: Interface): readonly InvalidField[] {
  if (!mtu || mtu >= IPV6_MIN_MTU || link_only || !ip_addresses.some((address) => address.includes(":"))) return [];
  return [{ field: "mtu", problem: `is ${mtu}, expected at least ${IPV6_MIN_MTU} for IPv6 addresses` }];
}

function validateHardwareAddress(value: Interface, type: LinkType | undefined): readonly InvalidField[] {
  const { phys_address: address } = value;
  if (!address) return [];
  const withoutMac = type?.withoutMac?.(value);
  if (withoutMac !== undefined) return [{ field: "phys_address", problem: `is ${address}, but ${withoutMac}` }];
  if (!MAC_ADDRESS.test(address)) {
    return [{ field: "phys_address", problem: `is "${address}", expected a MAC address such as 02:00:00:00:00:01` }];
  }
  const multicast = Number.parseInt(address.slice(0, 2), 16) & 1;
  if (!multicast && !/^[0:]+$/.test(address)) return [];
  return [{ field: "phys_address", problem: `is ${address}, which no interface can have: it is multicast or zero` }];
}

/** drivers/net/vrf.c, do_vrf_add_slave and vrf_add_slave: neither loopbacks nor VRFs belong to a VRF. */
function validateVrf(value: Interface, type: LinkType | undefined): readonly InvalidField[] {
  const { name, type: is, vrf_master_interface: vrf } = value;
  const field = "vrf_master_interface";
  if (!vrf) return [];
  if (type?.outsideVrfs) return [{ field, problem: `is "${vrf}", but no interface of type ${is} can belong to a VRF` }];
  return checkOther(field, vrf, name);
}

function validateUnnumbered({ name, unnumbered: donor, ip_addresses: addresses = [], link_only: linkOnly }: Interface) {
  const field = "unnumbered";
  if (!donor) return [];
  if (addresses.length > 0) return [{ field, problem: `is "${donor}", but the interface has ip_addresses of its own` }];
  if (linkOnly) return [{ field, problem: `is "${donor}", but with link_only addresses are somebody else's business` }];
  return checkOther(field, donor, name);
}
