import { canonicalNetwork } from "./addresses.js";
import { firstGenerationInterface } from "./first-generation.js";
import type { ARPEntry, ForwardingEntry, Interface, Registration, Route, Rule } from "./generated/index.js";
import { routeAttributes, saysLess, unescapeName } from "./key-attributes.js";
import * as keys from "./keys.js";
import { ModelError } from "./model-error.js";

/**
 * A message that is configured under keys of its own. Registered by the plugin that handles it, and shared with
 * clients. What the functions throw is {@link ModelError}; whoever calls them adds the key.
 */
export interface Model<V extends object> {
  /** `linux.interfaces.interface`: what dumps and error messages call it. */
  readonly name: string;
  /** `config/linux/interfaces/v2/interface/`, with the slash. */
  readonly prefix: string;
  /** Full protobuf name: `ligato.linux.interfaces.Interface`. */
  readonly message: string;
  /** The fields that the key is made of. */
  readonly nameFields: readonly string[];
  /** The part of the key behind the prefix, made from the canonical value. Throws when a field it needs is missing. */
  nameOf(value: V): string;
  /** The one spelling of such a name, when there are several: `10.1.2.3/16` is the network `10.1.0.0/16`. */
  normaliseName?(name: string): string;
  /**
   * May the value of the (full) name `name` also be called `short`, which says less of it? Both are normalised. A value under such a
   * key is kept under its full one.
   */
  isShortFor?(short: string, name: string): boolean;
  /**
   * Of two names that the same short one may mean: is the value `name` what somebody makes of `before` who does not know that the
   * name says more? Default: no, both exist.
   */
  isChangeOf?(name: string, before: string): boolean;
  /** Older ways to write the same value. They are translated when decoded. */
  readonly olderForms?: readonly OlderForm<V>[];
}

/** How a value used to be written, under keys of its own. */
export interface OlderForm<V extends object> {
  /** Of its keys, with the slash. */
  readonly prefix: string;
  /** Full protobuf name of its message. */
  readonly message: string;
  /** The value in today's form, canonical. `name` is the part of the old key behind the prefix. */
  translate(name: string, value: object): V;
}

function present<T extends string | number>(field: string, value: T | undefined): T {
  if (value === undefined || value === "") {
    throw new ModelError("MISSING_FIELD", field, "is missing, and the key is made of it");
  }
  return value;
}

export const interfaceModel: Model<Interface> = {
  name: "linux.interfaces.interface",
  prefix: keys.INTERFACE_PREFIX,
  message: "ligato.linux.interfaces.Interface",
  nameFields: ["name"],
  nameOf: (value) => present("name", value.name),
  olderForms: [firstGenerationInterface],
};

/** What stands in the key of a route for an interface that it does not have. */
function routeKind(route: Route): string {
  if (route.type !== undefined && route.type !== "UNICAST") return route.type.toLowerCase();
  if (route.next_hops !== undefined && route.next_hops.length > 0) return "multipath";
  return present("outgoing_interface", route.outgoing_interface);
}

/** In the form that is in the key. */
function routeExit(route: Route): string {
  return route.outgoing_interface ? keys.interfaceInRouteName(route.outgoing_interface) : routeKind(route);
}

export const routeModel: Model<Route> = {
  name: "linux.l3.route",
  prefix: keys.ROUTE_PREFIX,
  message: "ligato.linux.l3.Route",
  nameFields: ["dst_network", "outgoing_interface", "vrf", "namespace", "table", "metric"],
  nameOf(value) {
    const network = present("dst_network", value.dst_network);
    return `${canonicalNetwork(network) ?? network}/${routeExit(value)}${routeAttributes(value)}`;
  },
  normaliseName(name) {
    const parts = keys.parseRouteName(name);
    if (parts === undefined) return name;
    const network = canonicalNetwork(parts.network) ?? parts.network;
    const exit = name.slice(parts.network.length + 1);
    const end = exit.indexOf(";");
    // Written without escapes, as once: it stays as it is, and the value says what is meant.
    if (end < 0 || exit === parts.outgoingInterface) return network === parts.network ? name : `${network}/${exit}`;
    return `${network}/${exit.slice(0, end)}${routeAttributes(parts)}`;
  },
  isShortFor(short, name) {
    if (short === name) return false;
    const [less, more] = [keys.parseRouteName(short), keys.parseRouteName(name)];
    return (
      less !== undefined &&
      more !== undefined &&
      less.network === more.network &&
      isSameExit(short.slice(less.network.length + 1), name.slice(more.network.length + 1)) &&
      saysLess(less.outgoingInterface === short.slice(less.network.length + 1) ? {} : less, more)
    );
  },
  // Ligato's routes have a metric that their key does not say, and no table.
  isChangeOf: (name, before) => name !== before && withoutMetric(name) === withoutMetric(before),
};

function withoutMetric(name: string): string {
  return name.replace(/;metric=\d+$/, "");
}

/** Do two names of routes, from the interface on, mean the same interface or kind? The first may be written as it is, the second is escaped. */
function isSameExit(short: string, full: string): boolean {
  const [escaped = ""] = full.split(";", 1);
  return short === escaped || short.startsWith(`${escaped};`) || short === unescapeName(escaped);
}

export const arpModel: Model<ARPEntry> = {
  name: "linux.l3.arp",
  prefix: keys.ARP_PREFIX,
  message: "ligato.linux.l3.ARPEntry",
  nameFields: ["interface", "ip_address", "proxy"],
  nameOf({ interface: name, ip_address: address, proxy = false }) {
    return keys.arpName(present("interface", name), present("ip_address", address), { proxy });
  },
  normaliseName(name) {
    const parts = keys.parseArpName(name);
    return parts ? keys.arpName(parts.interfaceName, parts.ipAddress, parts) : name;
  },
  isShortFor(short, name) {
    const [less, more] = [keys.parseArpName(short), keys.parseArpName(name)];
    return less?.proxy !== true && more?.proxy === true && keys.arpName(more.interfaceName, more.ipAddress) === short;
  },
};

/** That of the networks given; IPv4 when there is none. */
export function ruleFamily({
  family = "UNDEFINED",
  src_network: source,
  dst_network: destination,
}: Rule): "IPV4" | "IPV6" {
  if (family !== "UNDEFINED") return family;
  return `${source ?? ""}${destination ?? ""}`.includes(":") ? "IPV6" : "IPV4";
}

export const ruleModel: Model<Rule> = {
  name: "linux.l3.rule",
  prefix: keys.RULE_PREFIX,
  message: "tenuto.linux.l3.Rule",
  nameFields: ["priority", "family", "namespace"],
  nameOf(value) {
    const { namespace } = value;
    const family = ruleFamily(value);
    return keys.ruleName(present("priority", value.priority), { family, ...(namespace && { namespace }) });
  },
  normaliseName(name) {
    const parts = keys.parseRuleName(name);
    return parts === undefined ? name : keys.ruleName(parts.priority, parts);
  },
  isShortFor(short, name) {
    const [less, more] = [keys.parseRuleName(short), keys.parseRuleName(name)];
    return (
      short !== name &&
      less !== undefined &&
      more !== undefined &&
      less.priority === more.priority &&
      saysLess(less, more)
    );
  },
};

export const forwardingModel: Model<ForwardingEntry> = {
  name: "linux.l2.fdb",
  prefix: keys.FORWARDING_PREFIX,
  message: "tenuto.linux.l2.ForwardingEntry",
  nameFields: ["interface", "hw_address", "vlan", "src_vni"],
  nameOf({ interface: name, hw_address: mac, vlan = 0, src_vni: sourceVni = 0 }) {
    return keys.forwardingName(present("interface", name), present("hw_address", mac), { vlan, sourceVni });
  },
  normaliseName(name) {
    const parts = keys.parseForwardingName(name);
    return parts === undefined ? name : keys.forwardingName(parts.interfaceName, parts.mac, parts);
  },
  isShortFor(short, name) {
    const [less, more] = [keys.parseForwardingName(short), keys.parseForwardingName(name)];
    return (
      short !== name &&
      less !== undefined &&
      more !== undefined &&
      less.interfaceName === more.interfaceName &&
      less.mac === more.mac &&
      saysLess(less, more)
    );
  },
};

export const registrationModel: Model<Registration> = {
  name: "linux.ifmgr.interface",
  prefix: keys.REGISTRATION_PREFIX,
  message: "tenuto.ifmgr.Registration",
  nameFields: ["interface"],
  nameOf: (value) => present("interface", value.interface),
};

/** Every model of the contract. */
export const models: readonly Model<object>[] = [
  interfaceModel,
  routeModel,
  arpModel,
  ruleModel,
  forwardingModel,
  registrationModel,
];
