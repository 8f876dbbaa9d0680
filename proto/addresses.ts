import ipaddr from "ipaddr.js";

/**
 * One spelling per address, so that two spellings of one thing make one key: IPv6 compressed and lower case (RFC 5952),
 * IPv4 as four decimal numbers, MAC addresses lower case with colons. Every function returns `undefined` for text that is not what it expects.
 */

const PREFIX_LENGTH = /^(?:0|[1-9]\d{0,2})$/;

/** `FD00:0::1` as `fd00::1`. Neither prefix length nor zone. */
export function canonicalAddress(text: string): string | undefined {
  if (ipv4Number(text) !== undefined) return text;
  if (!text.includes(":") || text.includes("%")) return undefined;
  const known = knownIpv6.get(text);
  if (known !== undefined) return known;
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  const canonical = ipaddr.IPv6.parse(text).toRFC5952String();
  if (knownIpv6.size >= KNOWN_IPV6) knownIpv6.clear();
  knownIpv6.set(text, canonical);
  return canonical;
}

/** The same addresses come again and again: in a value, its derived values, and each event of the kernel to each listener. */
const knownIpv6 = new Map<string, string>();
const KNOWN_IPV6 = 4096;

/** Address and prefix length: `FD00::1/64` as `fd00::1/64`. Host bits stay. */
export function canonicalPrefix(text: string): string | undefined {
  const parts = splitPrefix(text);
  return parts && `${parts.address}/${parts.length}`;
}

/** A network: `10.1.2.3/16` as `10.1.0.0/16`, as the kernel does. */
export function canonicalNetwork(text: string): string | undefined {
  if (isCanonicalIpv4Network(text)) return text;
  const parts = splitPrefix(text);
  if (!parts) return undefined;
  const { address, length } = parts;
  const ipv4 = ipv4Number(address);
  if (ipv4 === undefined) {
    return `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/${length}`).toRFC5952String()}/${length}`;
  }
  const network = length === 0 ? 0 : (ipv4 & (-1 << (32 - length))) >>> 0;
  return network === ipv4 ? text : `${ipv4Text(network)}/${length}`;
}

/** A MAC address: `02-00-00-00-00-0A` as `02:00:00:00:00:0a`. */
export function canonicalMac(text: string): string | undefined {
  return MAC_ADDRESS.test(text) ? text.toLowerCase().replaceAll("-", ":") : undefined;
}

const MAC_ADDRESS = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i;

function splitPrefix(text: string): { address: string; length: number } | undefined {
  const slash = text.indexOf("/");
  const prefix = text.slice(slash + 1);
  if (slash < 0 || !PREFIX_LENGTH.test(prefix)) return undefined;
  const address = canonicalAddress(text.slice(0, slash));
  const length = Number(prefix);
  if (address === undefined || length > (address.includes(":") ? 128 : 32)) return undefined;
  return { address, length };
}

const DOT = 0x2e;
const ZERO = 0x30;

/**
 * An IPv4 address as one number; `undefined` for any other text, also one with leading zeros. By hand, because large
 * configurations spend their time here: ten times as fast as a regular expression.
 */
function ipv4Number(text: string, end = text.length): number | undefined {
  let address = 0;
  let bytes = 0;
  let byte = -1;
  for (let i = 0; i <= end; i++) {
    const code = i === end ? DOT : text.charCodeAt(i);
    if (code === DOT) {
      if (byte < 0) return undefined;
      address = address * 256 + byte;
      bytes++;
      byte = -1;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || byte === 0) return undefined;
    byte = byte < 0 ? digit : byte * 10 + digit;
    if (byte > 255) return undefined;
  }
  return bytes === 4 ? address : undefined;
}

/** Is it an IPv4 network in the one spelling that it has? Nearly every network is. */
function isCanonicalIpv4Network(text: string): boolean {
  const slash = text.indexOf("/");
  const address = slash < 0 ? undefined : ipv4Number(text, slash);
  const length = prefixLengthAt(text, slash + 1);
  if (address === undefined || !(length <= 32)) return false;
  return length === 32 || address << length === 0;
}

/** The one or two digits at the end of a text as a number, else NaN. */
function prefixLengthAt(text: string, from: number): number {
  const first = text.charCodeAt(from) - ZERO;
  const isDigit = first >= 0 && first <= 9;
  if (text.length - from === 1) return isDigit ? first : Number.NaN;
  const second = text.charCodeAt(from + 1) - ZERO;
  const isNumber = text.length - from === 2 && isDigit && first > 0 && second >= 0 && second <= 9;
  return isNumber ? first * 10 + second : Number.NaN;
}

function ipv4Text(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}
