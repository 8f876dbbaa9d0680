import type { Address } from "#plugins/netlink/index.js";
import {
  canonicalInterfaceAddress,
  formatInterfaceAddress,
  type Interface,
  type InterfaceAddressText,
  parseInterfaceAddress,
} from "#proto/index.js";
import { TENUTO_PROTOCOL } from "../protocol.js";
import { AddressOrder } from "./address-order.js";

/** IFA_F_NODAD of linux/if_addr.h: use the address at once, without asking the link whether somebody else has it. */
const NO_DUPLICATE_DETECTION = 0x02;

/** IPV6_MIN_MTU of linux/ipv6.h: below it the kernel takes IPv6 off a link. */
export const IPV6_MIN_MTU = 1280;

/** An address of an interface, derived from the interface's value. */
export interface InterfaceAddress extends InterfaceAddressText {
  /** Logical name. */
  readonly interface: string;
  /** Of an IPv4 address among others: another text for another order ({@link orderOf}). */
  readonly order?: string;
}

/** Where each derived address stands among those of its interface: not told with each value, which has a digest of it. */
const orders = new WeakMap<InterfaceAddress, AddressOrder>();

/** The values that derive from the addresses of an interface. */
export function interfaceAddresses(value: Interface): readonly InterfaceAddress[] {
  const order = new AddressOrder(addressesOf(value));
  const { digest } = order;
  return saidAddresses(value).map((said) => {
    const isOrdered = digest !== undefined && !said.address.includes(":");
    const derived: InterfaceAddress = {
      interface: value.name ?? "",
      ...said,
      ...(isOrdered ? { order: digest } : {}),
    };
    orders.set(derived, order);
    return derived;
  });
}

export function orderOf(address: InterfaceAddress): AddressOrder {
  return orders.get(address) ?? new AddressOrder([]);
}

/** Are both the same address, with the same said about it? */
export function sameAddress(a: InterfaceAddressText, b: InterfaceAddressText): boolean {
  return formatInterfaceAddress(a) === formatInterfaceAddress(b);
}

/** The addresses the agent puts on the interface, with what is said about each. None where somebody else does that. */
function saidAddresses(value: Interface): readonly InterfaceAddressText[] {
  if (value.link_only) return [];
  return (value.ip_addresses ?? []).flatMap((text) => parseInterfaceAddress(text) ?? []);
}

/** The same without what is said about them: canonical, with prefix length. */
export function addressesOf(value: Interface): readonly string[] {
  return saidAddresses(value).map(({ address }) => address);
}

/** What an interface with these addresses lends: each address alone, without its network. */
export function donorAddresses(addresses: readonly string[]): readonly string[] {
  return addresses.map((text) => `${text.slice(0, text.indexOf("/"))}/${text.includes(":") ? 128 : 32}`);
}

/** The addresses that belong on an interface: its own, or those it borrows. `desired` knows the other interfaces. */
export function allAddressesOf(value: Interface, desired: (name: string) => Interface | undefined): readonly string[] {
  if (!value.unnumbered) return addressesOf(value);
  const donor = desired(value.unnumbered);
  return donor === undefined ? [] : donorAddresses(addressesOf(donor));
}

/** IFA_F_NOPREFIXROUTE of linux/if_addr.h. */
const NO_PREFIX_ROUTE = 0x200;

/** The kernel's request for an address of ours. */
export function addressRequest(linkIndex: number, said: InterfaceAddressText): Address {
  const { address, peer, label, valid_lifetime: valid, preferred_lifetime: preferred, no_prefix_route: no } = said;
  const flags = (address.includes(":") ? NO_DUPLICATE_DETECTION : 0) | (no ? NO_PREFIX_ROUTE : 0);
  return {
    linkIndex,
    address,
    protocol: TENUTO_PROTOCOL,
    ...(flags === 0 ? {} : { flags }),
    ...(peer === undefined ? {} : { peer }),
    ...(label === undefined ? {} : { label }),
    ...(valid === undefined ? {} : { validLifetime: valid }),
    ...(preferred === undefined ? {} : { preferredLifetime: preferred }),
  };
}

/** The request for one of the addresses of an interface, its own or donated. */
export function requestOf(value: Interface | undefined, linkIndex: number, address: string): Address {
  const said =
    value === undefined || value.unnumbered ? undefined : saidAddresses(value).find((each) => each.address === address);
  return addressRequest(linkIndex, said ?? { address });
}

/** As a value has it. What is left of a lifetime is no difference, as long as it is limited where it is to be. */
export function describeAddress(found: Address, expected: InterfaceAddressText | undefined): string {
  const { peer, label, flags = 0, validLifetime: valid, preferredLifetime: preferred } = found;
  const left = (is: number | undefined, desired: number | undefined): number | undefined =>
    is === undefined || (is === 0 && desired !== 0) ? is : (desired ?? is);
  const validLeft = left(valid, expected?.valid_lifetime);
  const preferredLeft = left(preferred, expected?.preferred_lifetime);
  return formatInterfaceAddress({
    address: canonicalInterfaceAddress(found.address) ?? found.address,
    ...(peer === undefined ? {} : { peer }),
    ...(expected?.label === undefined || label === undefined ? {} : { label }),
    ...(validLeft === undefined ? {} : { valid_lifetime: validLeft }),
    ...(preferredLeft === undefined ? {} : { preferred_lifetime: preferredLeft }),
    ...((flags & NO_PREFIX_ROUTE) !== 0 ? { no_prefix_route: true } : {}),
  });
}
