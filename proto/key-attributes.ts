import type { NetNamespace } from "./generated/index.js";

/**
 * What a key says behind its name, for values that the kernel keeps apart by more than the name: `;table=100;metric=5`. What has its
 * default is not said. Inside a name or an attribute, `;` and `=` are written `=3B` and `=3D`.
 */

/** Of a route, in this order. */
export interface RouteKeyAttributes {
  /** Logical name of the VRF that the route says it is in. */
  readonly vrf?: string;
  /** Of a route without an interface. */
  readonly namespace?: NetNamespace;
  /** 0 or left out: none is said. */
  readonly table?: number;
  readonly metric?: number;
}

/** Of a rule, in this order. */
export interface RuleKeyAttributes {
  readonly family?: "IPV4" | "IPV6";
  readonly namespace?: NetNamespace;
}

/** Of a forwarding entry, in this order. 0 or left out: none is said. */
export interface ForwardingKeyAttributes {
  readonly vlan?: number;
  readonly sourceVni?: number;
}

type Attribute = "vrf" | "family" | "namespace" | "table" | "metric" | "vlan" | "src_vni";

const ROUTE_ORDER: readonly Attribute[] = ["vrf", "namespace", "table", "metric"];
const RULE_ORDER: readonly Attribute[] = ["family", "namespace"];
const FORWARDING_ORDER: readonly Attribute[] = ["vlan", "src_vni"];

const NUMBER = /^(?:0|[1-9]\d{0,9})$/;
const NAMESPACE = /^(nsid|pid|fd|microservice):(.+)$/s;

/** A part of a name with what separates attributes escaped. */
export function escapeName(text: string): string {
  if (!text.includes(";") && !text.includes("=")) return text;
  return text.replaceAll("=", "=3D").replaceAll(";", "=3B");
}

/** `undefined` when an `=` is not followed by the number of a character. */
export function unescapeName(text: string): string | undefined {
  if (!text.includes("=")) return text;
  if (/=(?![0-7][0-9A-F])/.test(text)) return undefined;
  return text.replace(/=([0-7][0-9A-F])/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

export function routeAttributes({ vrf, namespace, table, metric }: RouteKeyAttributes): string {
  let text = vrf ? `;vrf=${escapeName(vrf)}` : "";
  if (namespace !== undefined) text += namespaceAttribute(namespace);
  if (table) text += `;table=${table}`;
  return metric ? `${text};metric=${metric}` : text;
}

export function ruleAttributes({ family, namespace }: RuleKeyAttributes): string {
  const text = family === "IPV6" ? ";family=ipv6" : "";
  return namespace === undefined ? text : text + namespaceAttribute(namespace);
}

export function forwardingAttributes({ vlan, sourceVni }: ForwardingKeyAttributes): string {
  const text = vlan ? `;vlan=${vlan}` : "";
  return sourceVni ? `${text};src_vni=${sourceVni}` : text;
}

/** `;namespace=nsid:blue`; empty for the agent's own. */
function namespaceAttribute({ type = "UNDEFINED", reference = "" }: NetNamespace): string {
  return type === "UNDEFINED" ? "" : `;namespace=${type.toLowerCase()}:${escapeName(reference)}`;
}

/** What follows the first `;`. `undefined` when these are no attributes of a route. */
export function parseRouteAttributes(text: string): RouteKeyAttributes | undefined {
  const found = parseAttributes(text, ROUTE_ORDER);
  if (found === undefined) return undefined;
  const { vrf, namespace, table, metric } = found;
  const parsed = namespace === undefined ? undefined : parseNamespace(namespace);
  if (namespace !== undefined && parsed === undefined) return undefined;
  if (![table, metric].every((number) => number === undefined || isUint32(number))) return undefined;
  return {
    ...(vrf === undefined ? {} : { vrf }),
    ...(parsed === undefined ? {} : { namespace: parsed }),
    ...(Number(table ?? 0) === 0 ? {} : { table: Number(table) }),
    ...(Number(metric ?? 0) === 0 ? {} : { metric: Number(metric) }),
  };
}

/** The same of a rule. */
export function parseRuleAttributes(text: string): RuleKeyAttributes | undefined {
  const found = parseAttributes(text, RULE_ORDER);
  if (found === undefined) return undefined;
  const { family, namespace } = found;
  const parsed = namespace === undefined ? undefined : parseNamespace(namespace);
  if ((namespace !== undefined && parsed === undefined) || !["ipv4", "ipv6", undefined].includes(family))
    return undefined;
  return { ...(family === "ipv6" ? { family: "IPV6" } : {}), ...(parsed === undefined ? {} : { namespace: parsed }) };
}

/** The same of a forwarding entry. */
export function parseForwardingAttributes(text: string): ForwardingKeyAttributes | undefined {
  const found = parseAttributes(text, FORWARDING_ORDER);
  if (found === undefined) return undefined;
  const { vlan, src_vni: sourceVni } = found;
  if (![vlan, sourceVni].every((number) => number === undefined || isUint32(number))) return undefined;
  return {
    ...(Number(vlan ?? 0) === 0 ? {} : { vlan: Number(vlan) }),
    ...(Number(sourceVni ?? 0) === 0 ? {} : { sourceVni: Number(sourceVni) }),
  };
}

/** Does an attribute text say nothing but what another one says as well? */
export function saysLess(
  less: RouteKeyAttributes & RuleKeyAttributes & ForwardingKeyAttributes,
  more: typeof less,
): boolean {
  return (
    (less.vlan === undefined || less.vlan === more.vlan) &&
    (less.sourceVni === undefined || less.sourceVni === more.sourceVni) &&
    (less.vrf === undefined || less.vrf === more.vrf) &&
    (less.family === undefined || less.family === more.family) &&
    (less.table === undefined || less.table === more.table) &&
    (less.metric === undefined || less.metric === more.metric) &&
    (less.namespace === undefined || namespaceAttribute(less.namespace) === namespaceAttribute(more.namespace ?? {}))
  );
}

function parseAttributes(
  text: string,
  known: readonly Attribute[],
): Readonly<Partial<Record<Attribute, string>>> | undefined {
  const found: Partial<Record<Attribute, string>> = {};
  for (const each of text.split(";")) {
    const at = each.indexOf("=");
    const name = known.find((one) => one === each.slice(0, at));
    const value = unescapeName(each.slice(at + 1));
    if (name === undefined || !value || found[name] !== undefined) return undefined;
    found[name] = value;
  }
  return found;
}

function parseNamespace(text: string): NetNamespace | undefined {
  const [, type, reference] = NAMESPACE.exec(text) ?? [];
  if (type === undefined || reference === undefined) return undefined;
  return { type: type.toUpperCase() as NonNullable<NetNamespace["type"]>, reference };
}

function isUint32(text: string): boolean {
  return NUMBER.test(text) && Number(text) <= 0xffffffff;
}
