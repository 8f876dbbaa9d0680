import { canonicalAddress, canonicalPrefix } from "./addresses.js";

/** An address of an interface with what is said about it: the words of ip-address(8). */
export interface InterfaceAddressText {
  /** Canonical, with prefix length: that of the peer where there is one. */
  readonly address: string;
  /** Address of the other end, without prefix length. */
  readonly peer?: string;
  readonly label?: string;
  /** Seconds; left out: for ever. */
  readonly valid_lifetime?: number;
  readonly preferred_lifetime?: number;
  /** Make no route to its network. */
  readonly no_prefix_route?: boolean;
}

/** What the kernel says for ever with (INFINITY_LIFE_TIME of net/addrconf.h). */
export const FOR_EVER = 0xffff_ffff;

/**
 * `10.0.0.1/24`, or with words behind it: `10.0.0.1 peer 10.0.0.2/32`, `192.0.2.1/24 label eth0:1 valid_lft 3600 preferred_lft 0
 * noprefixroute`. `undefined` for any other text.
 */
export function parseInterfaceAddress(text: string): InterfaceAddressText | undefined {
  const [first = "", ...words] = text.trim().split(/\s+/);
  if (words.length === 0) {
    const address = canonicalPrefix(first);
    return address === undefined ? undefined : { address };
  }
  const said = new Map<string, string>();
  while (words.length > 0) {
    const word = words.shift() ?? "";
    const value = word === "noprefixroute" ? "" : words.shift();
    if (value === undefined || said.has(word)) return undefined;
    said.set(word, value);
  }
  return assemble(first, said);
}

function assemble(first: string, said: ReadonlyMap<string, string>): InterfaceAddressText | undefined {
  const place = placeOf(first, said.get("peer"));
  const [valid, preferred] = [lifetime(said.get("valid_lft")), lifetime(said.get("preferred_lft"))];
  const label = said.get("label");
  const known = ["peer", "label", "valid_lft", "preferred_lft", "noprefixroute"];
  if (place === undefined || valid === undefined || preferred === undefined || preferred > valid || valid === 0)
    return undefined;
  if ([...said.keys()].some((word) => !known.includes(word))) return undefined;
  if (label !== undefined && (label.length > 15 || place.address.includes(":"))) return undefined;
  return {
    ...place,
    ...(label === undefined ? {} : { label }),
    ...(valid === FOR_EVER ? {} : { valid_lifetime: valid }),
    ...(preferred === FOR_EVER ? {} : { preferred_lifetime: preferred }),
    ...(said.has("noprefixroute") ? { no_prefix_route: true } : {}),
  };
}

function placeOf(first: string, peer: string | undefined): { address: string; peer?: string } | undefined {
  if (peer === undefined) {
    const address = canonicalPrefix(first);
    return address === undefined ? undefined : { address };
  }
  const local = canonicalAddress(first);
  const other = canonicalPrefix(peer.includes("/") ? peer : `${peer}/${peer.includes(":") ? 128 : 32}`);
  if (local === undefined || other === undefined || local.includes(":") !== other.includes(":")) return undefined;
  const slash = other.indexOf("/");
  return { address: local + other.slice(slash), peer: other.slice(0, slash) };
}

function lifetime(text: string | undefined): number | undefined {
  if (text === undefined || text === "forever") return FOR_EVER;
  const seconds = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return seconds < FOR_EVER ? seconds : undefined;
}

/** The text that {@link parseInterfaceAddress} reads. */
export function formatInterfaceAddress(said: InterfaceAddressText): string {
  const { address, peer, label, valid_lifetime: valid, preferred_lifetime: preferred, no_prefix_route: no } = said;
  const slash = address.indexOf("/");
  return [
    peer === undefined ? address : `${address.slice(0, slash)} peer ${peer}${address.slice(slash)}`,
    ...(label === undefined ? [] : [`label ${label}`]),
    ...(valid === undefined ? [] : [`valid_lft ${valid}`]),
    ...(preferred === undefined ? [] : [`preferred_lft ${preferred}`]),
    ...(no ? ["noprefixroute"] : []),
  ].join(" ");
}

/** The address alone, with its prefix length: `FD00::1/64` as `fd00::1/64`. Host bits stay. */
export function canonicalInterfaceAddress(text: string): string | undefined {
  return text.includes(" ") ? parseInterfaceAddress(text)?.address : canonicalPrefix(text);
}
