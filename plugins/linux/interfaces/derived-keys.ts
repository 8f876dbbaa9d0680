/** Keys of what is derived from interfaces, besides addresses, state and VRF (proto/keys.ts has those). */

/** Of {@link interfacePeerKey}. */
export const INTERFACE_PEER_PREFIX = "linux/interface-peer/";
/** Of {@link interfacePlaceKey}. */
export const INTERFACE_PLACE_PREFIX = "linux/interface-place/";
/** Of {@link interfacePortKey}. */
export const INTERFACE_PORT_PREFIX = "linux/interface-port/";
/** Of {@link interfaceVlansKey}. */
export const INTERFACE_VLANS_PREFIX = "linux/interface-vlans/";
/** Of {@link interfaceLoanKey}. */
export const INTERFACE_LOAN_PREFIX = "linux/interface-loan/";
/** Of {@link interfaceSettingsKey}. */
export const INTERFACE_SETTINGS_PREFIX = "linux/interface-settings/";
/** Of {@link borrowedAddressesKey}. */
export const BORROWED_ADDRESSES_PREFIX = "linux/interface-borrowed/";

/** That the link is in its namespace and its VRF. A change to either puts aside whatever rests on it. */
export function interfacePlaceKey(name: string): string {
  return INTERFACE_PLACE_PREFIX + name;
}

/** That `first`, an end of a pair, is there and has `second` as its peer: what the second end waits for. */
export function interfacePeerKey(first: string, second: string): string {
  return `${INTERFACE_PEER_PREFIX}${first}/${second}`;
}

/** That `member` is a port of `master`, a bridge or a bond. */
export function interfacePortKey(master: string, member: string): string {
  return `${INTERFACE_PORT_PREFIX}${master}/${member}`;
}

/** The addresses that an interface lends to unnumbered ones. */
export function interfaceLoanKey(name: string): string {
  return INTERFACE_LOAN_PREFIX + name;
}

/** The settings of IPv4 and IPv6 that an interface chooses. */
export function interfaceSettingsKey(name: string): string {
  return INTERFACE_SETTINGS_PREFIX + name;
}

/** That an unnumbered interface uses the addresses of another. */
export function borrowedAddressesKey(name: string): string {
  return BORROWED_ADDRESSES_PREFIX + name;
}

/** That a port of a bridge, or a bridge itself, has the VLANs from `first` to `last`, and none next to them. */
export function interfaceVlansKey(name: string, first: number, last: number): string {
  return `${INTERFACE_VLANS_PREFIX}${name}/${first}-${last}`;
}

export function parseInterfaceVlansKey(key: string): { name: string; first: number; last: number } | undefined {
  const [, name, first, last] = VLANS.exec(key) ?? [];
  return name === undefined ? undefined : { name, first: Number(first), last: Number(last) };
}

const VLANS = /^linux\/interface-vlans\/(.+)\/(\d+)-(\d+)$/s;
