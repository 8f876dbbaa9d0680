import { isIPv4, isIPv6 } from "node:net";

/** RFC 1123: letters, digits and dashes, a dot between labels; an underscore is common all the same. */
const NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/;

/**
 * What a `Host` header names (RFC 9110, 7.2: a host, and perhaps a port), in lower case and without brackets. `undefined` for
 * whatever is not exactly that: `[::1].evil.example` is no address.
 */
export function namedHost(header: string): { readonly host: string; readonly isAddress: boolean } | undefined {
  const [, bracketed, plain = ""] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(header.toLowerCase()) ?? [];
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, isAddress: true } : undefined;
  if (isIPv4(plain)) return { host: plain, isAddress: true };
  return NAME.test(plain) ? { host: plain.replace(/\.$/, ""), isAddress: false } : undefined;
}

/** Does an address to listen on stay on this host? */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}
