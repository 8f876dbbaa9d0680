import { canonicalAddress, canonicalMac, canonicalNetwork } from "./addresses.js";
import {
  escapeName,
  type ForwardingKeyAttributes,
  forwardingAttributes,
  parseForwardingAttributes,
  parseRouteAttributes,
  parseRuleAttributes,
  type RouteKeyAttributes,
  type RuleKeyAttributes,
  routeAttributes,
  ruleAttributes,
  unescapeName,
} from "./key-attributes.js";

export type { ForwardingKeyAttributes, RouteKeyAttributes, RuleKeyAttributes };

/**
 * The keys of the contract, built and taken apart. A `parse…` function returns `undefined` for a key of another kind.
 * Interface names may contain slashes.
 */

export const INTERFACE_PREFIX = "config/linux/interfaces/v2/interface/";
export const ROUTE_PREFIX = "config/linux/l3/v2/route/";
export const ARP_PREFIX = "config/linux/l3/v2/arp/";
export const RULE_PREFIX = "config/linux/l3/v2/rule/";
export const FORWARDING_PREFIX = "config/linux/l2/v1/fdb/";
export const REGISTRATION_PREFIX = "config/linux/ifmgr/v1/interface/";

/** Obtained: interfaces that others made, by host name. */
export const HOST_NAME_PREFIX = "linux/interface/host-name/";
/** Obtained: the same as by host name, but there as long as the interface exists, whether or not it is up. */
export const HOST_PRESENT_PREFIX = "linux/interface/present/";
/** Obtained: both in a named network namespace that is watched, `<namespace>/host-name/<host name>` and `<namespace>/present/…`. */
export const NAMESPACE_HOST_NAME_PREFIX = "linux/interface/namespace/";
/** Derived from interfaces and routes. */
export const INTERFACE_STATE_PREFIX = "linux/interface/state/";
export const LINK_LOCAL_ROUTE_PREFIX = "linux/link-local-route/";
const DERIVED_INTERFACE_PREFIX = "linux/interface/";
const NOT_DERIVED = [HOST_NAME_PREFIX, HOST_PRESENT_PREFIX, NAMESPACE_HOST_NAME_PREFIX, INTERFACE_STATE_PREFIX];

function rest(key: string, prefix: string): string | undefined {
  return key.length > prefix.length && key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}

/** Both sides of the last `separator`, neither empty. */
function splitLast(text: string | undefined, separator: string): [string, string] | undefined {
  const at = text?.lastIndexOf(separator) ?? -1;
  if (text === undefined || at <= 0 || at + separator.length === text.length) return undefined;
  return [text.slice(0, at), text.slice(at + separator.length)];
}

export function interfaceKey(name: string): string {
  return INTERFACE_PREFIX + name;
}

export function parseInterfaceKey(key: string): { name: string } | undefined {
  const name = rest(key, INTERFACE_PREFIX);
  return name === undefined ? undefined : { name };
}

/** What stands in the key of a route for the interface that it does not have, or not alone. */
const ROUTE_KINDS: ReadonlySet<string> = new Set(["blackhole", "unreachable", "prohibit", "multipath"]);

/**
 * The name of a route. `10.1.2.3/16` names the same network as `10.1.0.0/16`. A route that leaves by no single
 * interface has `blackhole`, `unreachable`, `prohibit` or `multipath` in the interface's place. What the kernel keeps apart beyond
 * that follows: `10.1.0.0/16/eth1;table=100;metric=5`.
 */
export function routeName(network: string, outgoingInterface: string, attributes?: RouteKeyAttributes): string {
  const name = `${canonicalNetwork(network) ?? network}/${escapeName(outgoingInterface)}`;
  return attributes === undefined ? name : name + routeAttributes(attributes);
}

export function routeKey(network: string, outgoingInterface: string, attributes?: RouteKeyAttributes): string {
  return ROUTE_PREFIX + routeName(network, outgoingInterface, attributes);
}

/** An interface that is called as a kind of route, as it stands in a key: no kind is written so. */
export function interfaceInRouteName(name: string): string {
  return ROUTE_KINDS.has(name) ? `=${name.charCodeAt(0).toString(16).toUpperCase()}${name.slice(1)}` : escapeName(name);
}

export interface RouteKeyParts extends RouteKeyAttributes {
  readonly network: string;
  /** Or the kind, `multipath` and so on. */
  readonly outgoingInterface: string;
}

export function parseRouteKey(key: string): RouteKeyParts | undefined {
  return parseRouteName(rest(key, ROUTE_PREFIX) ?? "");
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

export function parseRouteName(name: string): RouteKeyParts | undefined {
  const address = name.indexOf("/");
  const length = name.indexOf("/", address + 1);
  if (address <= 0 || length < 0 || length + 1 === name.length) return undefined;
  for (let i = address + 1; i < length; i++) if (!isDigit(name.charCodeAt(i))) return undefined;
  if (length === address + 1) return undefined;
  return { network: name.slice(0, length), ...exitAndAttributes(name.slice(length + 1)) };
}

/** Keys were written without escapes and attributes once: what is neither is all name. */
function exitAndAttributes(text: string): Omit<RouteKeyParts, "network"> {
  const end = text.indexOf(";");
  const outgoingInterface = unescapeName(end < 0 ? text : text.slice(0, end));
  const attributes = end < 0 ? {} : parseRouteAttributes(text.slice(end + 1));
  return outgoingInterface === undefined || outgoingInterface === "" || attributes === undefined
    ? { outgoingInterface: text }
    : { outgoingInterface, ...attributes };
}

/** `eth0/10.0.0.9`, and for an address that the host answers for `eth0/10.0.0.9;proxy=true`: the kernel keeps the two apart. */
export function arpName(interfaceName: string, ipAddress: string, { proxy = false }: ArpKeyAttributes = {}): string {
  return `${interfaceName}/${canonicalAddress(ipAddress) ?? ipAddress}${proxy ? PROXY : ""}`;
}

export function arpKey(interfaceName: string, ipAddress: string, attributes?: ArpKeyAttributes): string {
  return ARP_PREFIX + arpName(interfaceName, ipAddress, attributes);
}

export interface ArpKeyAttributes {
  readonly proxy?: boolean;
}

export interface ArpKeyParts extends ArpKeyAttributes {
  readonly interfaceName: string;
  readonly ipAddress: string;
}

const PROXY = ";proxy=true";

export function parseArpKey(key: string): ArpKeyParts | undefined {
  return parseArpName(rest(key, ARP_PREFIX) ?? "");
}

export function parseArpName(name: string): ArpKeyParts | undefined {
  const proxy = name.endsWith(PROXY);
  const [interfaceName, ipAddress] = splitLast(proxy ? name.slice(0, -PROXY.length) : name, "/") ?? [];
  if (interfaceName === undefined || ipAddress === undefined) return undefined;
  return { interfaceName, ipAddress, ...(proxy ? { proxy } : {}) };
}

/** `100`, and what is not the default behind it: `100;family=ipv6;namespace=nsid:blue`. */
export function ruleName(priority: number, attributes: RuleKeyAttributes = {}): string {
  return priority + ruleAttributes(attributes);
}

export function ruleKey(priority: number, attributes?: RuleKeyAttributes): string {
  return RULE_PREFIX + ruleName(priority, attributes);
}

export interface RuleKeyParts extends RuleKeyAttributes {
  readonly priority: number;
}

export function parseRuleKey(key: string): RuleKeyParts | undefined {
  return parseRuleName(rest(key, RULE_PREFIX) ?? "");
}

export function parseRuleName(name: string): RuleKeyParts | undefined {
  const [, priority, attributes] = /^(\d+)(?:;(.+))?$/.exec(name) ?? [];
  if (priority === undefined) return undefined;
  const parsed = attributes === undefined ? {} : parseRuleAttributes(attributes);
  return parsed && { priority: Number(priority), ...parsed };
}

/** `port1/02:00:00:00:00:01`, and what is not the default behind it: `;vlan=10`. */
export function forwardingName(interfaceName: string, mac: string, attributes: ForwardingKeyAttributes = {}): string {
  return `${escapeName(interfaceName)}/${canonicalMac(mac) ?? mac}${forwardingAttributes(attributes)}`;
}

export function forwardingKey(interfaceName: string, mac: string, attributes?: ForwardingKeyAttributes): string {
  return FORWARDING_PREFIX + forwardingName(interfaceName, mac, attributes);
}

/** What the keys of the entries of an interface begin with. */
export function forwardingPrefix(interfaceName: string): string {
  return `${FORWARDING_PREFIX}${escapeName(interfaceName)}/`;
}

export interface ForwardingKeyParts extends ForwardingKeyAttributes {
  readonly interfaceName: string;
  readonly mac: string;
}

export function parseForwardingKey(key: string): ForwardingKeyParts | undefined {
  return parseForwardingName(rest(key, FORWARDING_PREFIX) ?? "");
}

export function parseForwardingName(name: string): ForwardingKeyParts | undefined {
  const [escaped = "", last = ""] = splitLast(name, "/") ?? [];
  const interfaceName = unescapeName(escaped);
  const end = last.indexOf(";");
  const mac = canonicalMac(end < 0 ? last : last.slice(0, end));
  const attributes = end < 0 ? {} : parseForwardingAttributes(last.slice(end + 1));
  if (!interfaceName || mac === undefined || attributes === undefined) return undefined;
  return { interfaceName, mac, ...attributes };
}

export function registrationKey(hostInterface: string): string {
  return REGISTRATION_PREFIX + hostInterface;
}

export function parseRegistrationKey(key: string): { hostInterface: string } | undefined {
  const hostInterface = rest(key, REGISTRATION_PREFIX);
  return hostInterface === undefined ? undefined : { hostInterface };
}

export function hostNameKey(hostName: string): string {
  return HOST_NAME_PREFIX + hostName;
}

/** In a named network namespace. `address` with its prefix length; left out: the interface itself. */
export function namespaceHostNameKey(namespace: string, hostName: string, address?: string): string {
  const key = `${NAMESPACE_HOST_NAME_PREFIX}${namespace}/host-name/${hostName}`;
  return address === undefined ? key : `${key}/address/${address}`;
}

/** In a named network namespace. */
export function namespaceHostPresentKey(namespace: string, hostName: string): string {
  return `${NAMESPACE_HOST_NAME_PREFIX}${namespace}/present/${hostName}`;
}

export function hostPresentKey(hostName: string): string {
  return HOST_PRESENT_PREFIX + hostName;
}

/** `address` with its prefix length. */
export function hostNameAddressKey(hostName: string, address: string): string {
  return `${HOST_NAME_PREFIX}${hostName}/address/${address}`;
}

/** Of the interface, or of an address below it. */
export function parseHostNameKey(key: string): { hostName: string; address?: string } | undefined {
  // A host name has no slash: net/core/dev.c, dev_valid_name().
  const [, hostName, address] = /^([^/]+)(?:\/address\/(.+))?$/.exec(rest(key, HOST_NAME_PREFIX) ?? "") ?? [];
  if (hostName === undefined) return undefined;
  return address === undefined ? { hostName } : { hostName, address };
}

export function interfaceStateKey(name: string, up: boolean): string {
  return `${INTERFACE_STATE_PREFIX}${name}/${up ? "UP" : "DOWN"}`;
}

export function parseInterfaceStateKey(key: string): { name: string; up: boolean } | undefined {
  const [name, state] = splitLast(rest(key, INTERFACE_STATE_PREFIX), "/") ?? [];
  if (name === undefined || (state !== "UP" && state !== "DOWN")) return undefined;
  return { name, up: state === "UP" };
}

/** Of all addresses of an interface. */
export function interfaceAddressPrefix(name: string): string {
  return `${DERIVED_INTERFACE_PREFIX}${name}/address/`;
}

/** `address` with its prefix length. */
export function interfaceAddressKey(name: string, address: string): string {
  return `${interfaceAddressPrefix(name)}static/${address}`;
}

export function parseInterfaceAddressKey(key: string): { name: string; address: string } | undefined {
  const [name, address] = splitLast(derivedFromInterface(key), "/address/static/") ?? [];
  return name === undefined || address === undefined ? undefined : { name, address };
}

export function interfaceVrfKey(name: string, vrf: string): string {
  return `${DERIVED_INTERFACE_PREFIX}${name}/vrf/${vrf}`;
}

export function parseInterfaceVrfKey(key: string): { name: string; vrf: string } | undefined {
  const [name, vrf] = splitLast(derivedFromInterface(key), "/vrf/") ?? [];
  return name === undefined || vrf === undefined ? undefined : { name, vrf };
}

function derivedFromInterface(key: string): string | undefined {
  return NOT_DERIVED.some((prefix) => key.startsWith(prefix)) ? undefined : rest(key, DERIVED_INTERFACE_PREFIX);
}

/** Of all link-local routes that leave by an interface. */
export function linkLocalRoutePrefix(outgoingInterface: string): string {
  return `${LINK_LOCAL_ROUTE_PREFIX}${outgoingInterface}/dest-address/`;
}

export function linkLocalRouteKey(outgoingInterface: string, network: string): string {
  return linkLocalRoutePrefix(outgoingInterface) + network;
}

export function parseLinkLocalRouteKey(key: string): { outgoingInterface: string; network: string } | undefined {
  const parts = splitLast(rest(key, LINK_LOCAL_ROUTE_PREFIX), "/dest-address/");
  return parts && { outgoingInterface: parts[0], network: parts[1] };
}
