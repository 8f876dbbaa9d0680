import type { Address } from "#plugins/netlink/index.js";
import { canonicalInterfaceAddress, type Interface } from "#proto/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import { AddressOrder } from "./address-order.js";

/** IFA_F_NODAD of linux/if_addr.h: use the address at once, without asking the link whether somebody else has it. */
const NO_DUPLICATE_DETECTION = 0x02;

/** IPV6_MIN_MTU of linux/ipv6.h: below it the kernel takes IPv6 off a link. */
export const IPV6_MIN_MTU = 1280;

/** An address of an interface, derived from the interface's value. */
export interface InterfaceAddress {
  /** Logical name. */
  readonly interface: string;
  /** Canonical, with prefix length. */
  readonly address: string;
  /** Of an IPv4 address among others: another text for another order ({@link orderOf}). */
  readonly order?: string;
}

/** Where each derived address stands among those of its interface: not told with each value, which has a digest of it. */
const orders = new WeakMap<InterfaceAddress, AddressOrder>();

/** The values that derive from the addresses of an interface. */
export function interfaceAddresses(name: string, addresses: readonly string[]): readonly InterfaceAddress[] {
  const order = new AddressOrder(addresses);
  const { digest } = order;
  return addresses.map((address) => {
    const isOrdered = digest !== undefined && !address.includes(":");
    const derived: InterfaceAddress = { interface: name, address, ...(isOrdered ? { order: digest } : {}) };
    orders.set(derived, order);
    return derived;
  });
}

export function orderOf(address: InterfaceAddress): AddressOrder {
  return orders.get(address) ?? new AddressOrder([]);
}

/** The addresses the agent puts on the interface, canonical. None where somebody else does that. */
export function addressesOf(value: Interface): readonly string[] {
  if (value.link_only) return [];
  return (value.ip_addresses ?? []).flatMap((text) => canonicalInterfaceAddress(text) ?? []);
}

/** What an interface with these addresses lends: each address alone, without its network. */
export function lentAddresses(addresses: readonly string[]): readonly string[] {
  return addresses.map((text) => `${text.slice(0, text.indexOf("/"))}/${text.includes(":") ? 128 : 32}`);
}

/** The addresses that belong on an interface: its own, or those it borrows. `wanted` knows the other interfaces. */
export function allAddressesOf(value: Interface, wanted: (name: string) => Interface | undefined): readonly string[] {
  if (!value.unnumbered) return addressesOf(value);
  const lender = wanted(value.unnumbered);
  return lender === undefined ? [] : lentAddresses(addressesOf(lender));
}

/** The kernel's request for an address of ours. `address` is canonical. */
export function addressRequest(linkIndex: number, address: string): Address {
  return {
    linkIndex,
    address,
    protocol: TENUTO_PROTOCOL,
    ...(address.includes(":") ? { flags: NO_DUPLICATE_DETECTION } : {}),
  };
}
