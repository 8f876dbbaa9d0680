/** Keys of what is derived from interfaces, besides addresses, state and VRF (proto/keys.ts has those). */

/** Of {@link interfacePeerKey}. */
export const INTERFACE_PEER_PREFIX = "linux/interface-peer/";
/** Of {@link interfaceAttachmentKey}. */
export const INTERFACE_ATTACHMENT_PREFIX = "linux/interface-attachment/";
/** Of {@link interfacePortKey}. */
export const INTERFACE_PORT_PREFIX = "linux/interface-port/";
/** Of {@link interfaceVlansKey}. */
export const INTERFACE_VLANS_PREFIX = "linux/interface-vlans/";
/** Of {@link unnumberedDonorKey}. */
export const UNNUMBERED_DONOR_PREFIX = "linux/interface-unnumbered-donor/";
/** Of {@link interfaceSettingsKey}. */
export const INTERFACE_SETTINGS_PREFIX = "linux/interface-settings/";
/** Of {@link unnumberedAddressesKey}. */
export const UNNUMBERED_ADDRESSES_PREFIX = "linux/interface-unnumbered/";

/** That the link is in its namespace and its VRF. A change to either puts aside whatever rests on it. */
export function interfaceAttachmentKey(name: string): string {
  return INTERFACE_ATTACHMENT_PREFIX + name;
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
export function unnumberedDonorKey(name: string): string {
  return UNNUMBERED_DONOR_PREFIX + name;
}

/** The settings of IPv4 and IPv6 that an interface chooses. */
export function interfaceSettingsKey(name: string): string {
  return INTERFACE_SETTINGS_PREFIX + name;
}

/** That an unnumbered interface uses the addresses of another. */
export function unnumberedAddressesKey(name: string): string {
  return UNNUMBERED_ADDRESSES_PREFIX + name;
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
